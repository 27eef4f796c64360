"""Rendering: from a plan and its source audio to tracks and their sum."""
