"""Boxseek: search inside pictures, every object of every image."""
