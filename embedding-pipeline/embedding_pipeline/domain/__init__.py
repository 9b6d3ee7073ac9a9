"""Boxes, entries, model descriptions and filters: values without behaviour of their own."""
