"""Pictures of a source, for what a new index calibrates or learns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from embedding_pipeline.ingest.source_items import Source, SourceProblem
from embedding_pipeline.models.samples import SAMPLE_PICTURES, Samples, spread

LOOKED_AT = 4096
"""Items of a listing that samples are taken from; an archive may have millions."""


def source_samples(source: Source, count: int = SAMPLE_PICTURES) -> Samples:
    """Gives a function that reads pictures spread over the beginning of a source.

    What cannot be read is left out. Nothing is read before the function's result is.

    Args:
        source: of pictures.
        count: at most.
    """

    def read() -> Iterator[bytes]:
        items = [item for item in islice(source.items(), LOOKED_AT) if item.problem is None]
        for item in spread(items, count):
            with suppress(SourceProblem):
                yield source.load(item).data

    return read
