"""Detectors and embedders behind their ports, and where their weights come from."""
