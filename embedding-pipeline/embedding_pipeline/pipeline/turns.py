"""Taking turns at the models: pieces of work of many callers, one after another in one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from embedding_pipeline.errors import ModelError

T = TypeVar("T")

PATIENCE_S = 1.0
"""A piece of background work that has waited this long goes next, whoever else waits."""


PIECE_S = 0.05
SHORT_PIECE_S = 0.02
"""How long a piece of background work takes, and while people search: about a sixth of what a
search by an uploaded picture takes. One picture's detection and two crops of a large network may
take longer and are not divided. Short pieces cost some percent: cores wait for each other at the
end of each."""

SEARCHED_LATELY_S = 10.0
"""So long after the last search another one is expected."""


class Rank(NamedTuple):
    """Whose piece goes first: the lowest.

    Args:
        priority: 0 for searches; more is background work.
        number: of the batch; the older one goes first.
    """

    priority: int
    number: int


class Turn(Protocol):
    """How a batch of pictures gets at the models."""

    @property
    def longest_s(self) -> float | None:
        """How long a piece may take now, since others may want the models; None: undivided."""
        ...

    def __call__(self, piece: Callable[[], T]) -> T:
        """Do one piece of model work when it is this batch's turn."""
        ...


class OwnTurn:
    """The turn of who has the models alone: at once, in the caller's thread, undivided."""

    longest_s = None

    def __call__(self, piece: Callable[[], T]) -> T:
        """Do it."""
        return piece()


@dataclass(slots=True)
class _Piece:
    rank: Rank
    work: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Turns:
    """Pieces of model work wait here; one thread, which calls ``serve``, does them.

    Searches go before background work, an older batch before a younger one. While a search is
    being answered background work waits, also while the search is not at the models: its
    decoding and its index need the cores too. What has waited for ``patience_s`` goes next, so
    that background work never stands still.

    Args:
        patience_s: how long background work lets others go first.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._waiting: list[_Piece] = []
        self._attended = 0
        self._attended_at = -SEARCHED_LATELY_S
        self._ended = False

    @property
    def longest_s(self) -> float:
        """How long a piece of background work may take now: what a search waits for at most."""
        lately = time.monotonic() - self._attended_at < SEARCHED_LATELY_S
        return SHORT_PIECE_S if lately else PIECE_S

    def do(self, rank: Rank, work: Callable[[], T]) -> T:
        """Have a piece done and wait for what it gives, or raises.

        Raises:
            ModelError: the thread has ended.
        """
        piece = _Piece(rank, work)
        with self._changed:
            if self._ended:
                raise ModelError("the pipeline is closed")
            self._waiting.append(piece)
            self._changed.notify_all()
        result: T = piece.future.result()
        return result

    @contextmanager
    def attending(self) -> Iterator[None]:
        """A search is being answered: no piece of background work begins meanwhile."""
        with self._changed:
            self._attended += 1
            self._attended_at = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._attended -= 1
                self._changed.notify_all()

    def serve(self) -> None:
        """Do pieces in this thread until ``end`` is called."""
        while (piece := self._next()) is not None:
            try:
                piece.future.set_result(piece.work())
            except BaseException as error:  # noqa: BLE001 - raised where the piece came from
                piece.future.set_exception(error)

    def end(self) -> None:
        """Let ``serve`` return; what still waits fails."""
        with self._changed:
            self._ended = True
            for piece in self._waiting:
                piece.future.set_exception(ModelError("the pipeline is closed"))
            self._waiting.clear()
            self._changed.notify_all()

    def _next(self) -> _Piece | None:
        with self._changed:
            while not self._ended:
                piece, wait_s = self._choose()
                if piece is not None:
                    self._waiting.remove(piece)
                    return piece
                self._changed.wait(wait_s)
        return None

    def _choose(self) -> tuple[_Piece | None, float | None]:
        """Whose turn it is now; if nobody's, for how long at most."""
        if not self._waiting:
            return None, None
        oldest = min(self._waiting, key=lambda piece: piece.since)
        left_s = oldest.since + self._patience_s - time.monotonic()
        if left_s <= 0:
            return oldest, None
        first = min(self._waiting, key=lambda piece: piece.rank)
        if first.rank.priority > 0 and self._attended:
            return None, left_s
        return first, None


@dataclass(frozen=True, slots=True)
class RankedTurn:
    """The turn of one batch among others.

    Args:
        turns: where its pieces wait.
        rank: of the batch.
    """

    turns: Turns
    rank: Rank

    @property
    def longest_s(self) -> float | None:
        """Background work comes in pieces; a search's work is done at one go."""
        return self.turns.longest_s if self.rank.priority > 0 else None

    def __call__(self, piece: Callable[[], T]) -> T:
        """Wait for the turn, then for what the piece gives."""
        return self.turns.do(self.rank, piece)
