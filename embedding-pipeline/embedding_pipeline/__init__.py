"""Boxseek: search inside pictures, every object of every image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedding_pipeline.bootstrap import Boxseek
    from embedding_pipeline.settings import Settings

__all__ = ["Boxseek", "Settings"]


def __getattr__(name: str) -> object:
    """Import Boxseek and Settings when they are first used: a submodule needs neither."""
    if name == "Boxseek":
        from embedding_pipeline.bootstrap import Boxseek  # noqa: PLC0415 - see above

        return Boxseek
    if name == "Settings":
        from embedding_pipeline.settings import Settings  # noqa: PLC0415 - see above

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
