"""The sample songs, the synthesiser that renders them, and the demo that separates them."""
