"""Thumbnails and crops of originals, cached in the store."""
