"""The ``boxseek`` command; every command imports what it needs when it runs."""

from embedding_pipeline.cli.app import main

__all__ = ["main"]
