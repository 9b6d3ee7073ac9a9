"""What is asked before and after a version of the index is written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from embedding_pipeline.pipeline.tasks import PictureResult
from embedding_pipeline.ports.index import ObjectIndex

AfterChange: TypeAlias = Callable[[ObjectIndex, Sequence[str]], None]
"""Gets the version that was changed and the image keys of the pictures."""


def nothing_more(index: ObjectIndex, image_keys: Sequence[str]) -> None:
    """Do nothing after a change: there is but one version."""


def fits(result: PictureResult | None, index: ObjectIndex) -> bool:
    """Whether a result may go into this version; one that does not tell its models may."""
    if result is None or result.models is None:
        return True
    return not index.version.description.differences(result.models)
