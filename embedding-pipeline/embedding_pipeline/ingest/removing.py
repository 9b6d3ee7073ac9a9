"""Removing what a source brought and no longer has; with a brake."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final, Literal

from embedding_pipeline.errors import DeleteRefused
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.shelving import Shelf
from embedding_pipeline.ingest.source_items import readable

_HOW: Final[tuple[Literal["gone", "replaced"], ...]] = ("gone", "replaced")


@dataclass(frozen=True, slots=True)
class Removed:
    """What a run removed.

    Args:
        left: pictures that the source brought and no longer has, before it began to remove.
        pictures: of them, those that went.
        refusal: why others did not go although that was asked for; else empty.
    """

    left: int
    pictures: int = 0
    refusal: str = ""


class Removing:
    """Removes pictures that one source alone brought; no upload, nothing of another source.

    Args:
        ledger: of the source.
        shelf: where pictures are removed.
        source_name: the source's.
        share: largest share of the ledger that may go in one run.
        wanted: removing was asked for.
        forced: even more than the share.
    """

    def __init__(
        self,
        ledger: Ledger,
        shelf: Shelf,
        source_name: str,
        *,
        share: float,
        wanted: bool,
        forced: bool,
    ) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._source_name = source_name
        self._share = share
        self._wanted = wanted
        self._forced = forced

    def check(self, gone: int, *, listed_none: bool) -> None:
        """Refuse what looks like an unmounted folder, before anything is done.

        Args:
            gone: pictures that the source no longer lists.
            listed_none: it lists nothing at all.

        Raises:
            DeleteRefused: more is gone than may be removed.
        """
        if not self._wanted or self._forced or not gone:
            return
        known = self._known()
        if listed_none or gone > known * self._share:
            raise DeleteRefused(
                f"{gone:,} of {known:,} known pictures are missing in {self._source_name}, "
                f"more than {self._share:.0%}; nothing was removed. Is it mounted? "
                "If they are to be removed, run again with --force-delete.",
                gone=gone,
                known=known,
            )

    def run(self, stop: threading.Event) -> Removed:
        """Remove the leftovers of the ledger, if that was asked for.

        Those whose path is gone and those that were replaced at it each have to be no more
        than the share.
        """
        left = {how: self._ledger.leftover_count(how) for how in _HOW}
        if not self._wanted or stop.is_set():
            return Removed(sum(left.values()))
        most = self._known() * self._share
        pictures, refused = 0, 0
        for how in _HOW:
            if left[how] <= most or self._forced:
                pictures += self._remove(how)
            else:
                refused += left[how]
        refusal = (
            f"{refused:,} are more than {self._share:.0%} of what is known, so they stay; "
            "--force-delete removes them"
        )
        return Removed(sum(left.values()), pictures, refusal if refused else "")

    def _remove(self, how: Literal["gone", "replaced"]) -> int:
        pictures = 0
        for path, image_key in self._ledger.leftovers(how):
            pictures += self._shelf.remove_source(image_key, self._source_name, readable(path))
            self._ledger.drop_leftover(path, image_key)
        return pictures

    def _known(self) -> int:
        return sum(self._ledger.count().values())
