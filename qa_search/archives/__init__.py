"""Archives -> posts."""
