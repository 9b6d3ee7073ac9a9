"""The HTTP service of originals and thumbnails."""
