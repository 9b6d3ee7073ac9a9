"""Bytes to upright RGB pixels and back; the only place that decodes."""
