"""Bringing pictures in and out: one upload or a whole archive."""

from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.library import AddResult, AddStatus, Library, Models, Upload

__all__ = ["AddResult", "AddStatus", "KeyLocks", "Library", "Models", "Upload"]
