"""Bringing pictures in: one upload or a whole archive."""
