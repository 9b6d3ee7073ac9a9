"""Originals and thumbnails of Boxseek, and who may see them; it knows nothing of objects."""
