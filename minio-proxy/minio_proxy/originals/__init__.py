"""Originals and their records: the truth everything else is made from."""
