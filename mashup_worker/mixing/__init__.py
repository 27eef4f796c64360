"""From songs and their analyses to a mashup: its plan, its bars, its phrases and transitions."""
