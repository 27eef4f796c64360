"""Rendering: from a plan and its sources to tracks and their sum."""
