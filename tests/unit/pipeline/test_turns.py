from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from embedding_pipeline.errors import ModelError
from embedding_pipeline.pipeline import PicturePipeline, PictureTask, turns
from embedding_pipeline.pipeline.pieces import InPieces, PieceSize
from embedding_pipeline.pipeline.turns import OwnTurn, Rank, RankedTurn, Turns
from minio_proxy.picture.decode import Picture
from minio_proxy.picture.header import Limits
from support.models_fakes import FakeDetector, FakeEmbedder

SEARCH, UPLOAD, BACKFILL = 0, 1, 2


class Desk:
    """Turns with their thread, and callers that each wait in a thread of their own."""

    def __init__(self, patience_s: float = 60.0) -> None:
        self.turns = Turns(patience_s=patience_s)
        self.done: list[str] = []
        self._callers: list[threading.Thread] = []
        self._server = threading.Thread(target=self.turns.serve)

    def ask(self, rank: Rank, name: str) -> None:
        """Let a caller wait for its turn, which notes the name."""
        before = self.waiting()

        def call() -> None:
            with suppress(ModelError):
                self.turns.do(rank, lambda: self.done.append(name))

        caller = threading.Thread(target=call)
        self._callers.append(caller)
        caller.start()
        _until(lambda: self.waiting() > before)

    def waiting(self) -> int:
        """Pieces that wait."""
        return len(self.turns._waiting)

    def open(self) -> None:
        """Begin to do what waits."""
        self._server.start()

    def finish(self) -> list[str]:
        """Wait for all callers; the names in the order of their turns."""
        for caller in self._callers:
            caller.join(10)
        return self.done

    def close(self) -> None:
        """End the thread."""
        self.turns.end()
        if self._server.ident is not None:
            self._server.join(10)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk that is closed at the end."""
    made = Desk()
    yield made
    made.close()


def _until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.001)


def test_searches_go_first_then_the_older_batch(desk: Desk) -> None:
    """Whatever the order of coming, the lowest rank has its turn next."""
    desk.ask(Rank(BACKFILL, 3), "backfill 3")
    desk.ask(Rank(BACKFILL, 1), "backfill 1")
    desk.ask(Rank(UPLOAD, 4), "upload 4")
    desk.ask(Rank(SEARCH, 6), "search 6")
    desk.ask(Rank(SEARCH, 5), "search 5")
    desk.open()
    assert desk.finish() == ["search 5", "search 6", "upload 4", "backfill 1", "backfill 3"]


def test_background_work_waits_while_a_search_is_answered(desk: Desk) -> None:
    """Also while the search itself is not at the models."""
    desk.open()
    with ExitStack() as stack:
        stack.enter_context(desk.turns.attending())
        desk.ask(Rank(BACKFILL, 1), "backfill")
        desk.turns.do(Rank(SEARCH, 2), lambda: desk.done.append("search"))
        assert desk.waiting() == 1
    assert desk.finish() == ["search", "backfill"]


def test_background_work_never_stands_still() -> None:
    """What has waited long enough goes next, although a search is being answered."""
    desk = Desk(patience_s=0.05)
    desk.open()
    with desk.turns.attending():
        desk.ask(Rank(BACKFILL, 1), "backfill")
        assert desk.finish() == ["backfill"]
    desk.close()


def test_an_error_reaches_who_asked(desk: Desk) -> None:
    """The thread goes on with the next piece."""
    desk.open()

    def broken() -> None:
        raise RuntimeError("out of registers")

    with pytest.raises(RuntimeError, match="out of registers"):
        desk.turns.do(Rank(SEARCH, 1), broken)
    assert desk.turns.do(Rank(SEARCH, 2), lambda: "fine") == "fine"


def test_what_waits_at_the_end_fails(desk: Desk) -> None:
    """So does what comes later; nothing is done."""
    desk.ask(Rank(SEARCH, 1), "late")
    desk.turns.end()
    with pytest.raises(ModelError, match="closed"):
        desk.turns.do(Rank(SEARCH, 1), lambda: None)
    assert desk.finish() == []


@pytest.mark.parametrize(
    ("least", "item_s", "count", "sizes"),
    [
        pytest.param(1, None, 3, [1, 1, 1], id="unknown-yet"),
        pytest.param(2, None, 5, [2, 3], id="unknown-and-none-alone"),
        pytest.param(2, 9.0, 1, [1], id="one"),
        pytest.param(1, 0.01, 8, [4, 4], id="as-long-as-allowed"),
        pytest.param(1, 0.01, 9, [3, 3, 3], id="equal"),
        pytest.param(1, 0.0001, 40, [20, 20], id="most"),
        pytest.param(2, 0.5, 6, [2, 2, 2], id="slow"),
    ],
)
def test_pieces_are_as_large_as_their_time_allows(
    least: int, item_s: float | None, count: int, sizes: list[int]
) -> None:
    """Equal parts, within the least and the most."""
    size = PieceSize(least=least, most=32)
    if item_s is not None:
        size.took(10, 10 * item_s)
    found = []
    while count > sum(found):
        found.append(size(count - sum(found), 0.04))
    assert found == sizes


def test_pieces_are_short_while_people_search(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first search on until a while after the last; a search itself is never divided."""
    now = [100.0]
    monkeypatch.setattr(turns.time, "monotonic", lambda: now[0])
    backfill = RankedTurn(desk.turns, Rank(BACKFILL, 1))
    assert backfill.longest_s == turns.PIECE_S
    with desk.turns.attending():
        assert backfill.longest_s == turns.SHORT_PIECE_S
    now[0] += turns.SEARCHED_LATELY_S - 1
    assert backfill.longest_s == turns.SHORT_PIECE_S
    now[0] += 1
    assert backfill.longest_s == turns.PIECE_S
    assert RankedTurn(desk.turns, Rank(SEARCH, 2)).longest_s is None


def test_the_size_of_pieces_follows_within_a_batch(desk: Desk) -> None:
    """A search that comes in the middle makes the rest of the batch's pieces small."""
    desk.open()
    calls: list[int] = []

    def model(items: list[int]) -> list[int]:
        calls.append(len(items))
        if len(calls) == 2:
            with desk.turns.attending():
                pass
        return items

    size = PieceSize(least=1, most=32)
    size.took(1000, 5.0)
    found = InPieces(model, size)(RankedTurn(desk.turns, Rank(BACKFILL, 1)), list(range(40)))
    assert [item for part in found for item in part] == list(range(40))
    assert calls[0] >= 10
    assert max(calls[2:]) < calls[0]


def test_a_model_is_called_in_pieces_only_where_the_turn_is_shared(desk: Desk) -> None:
    """Results come in order either way; every piece is done in the desk's thread."""
    desk.open()
    calls: list[tuple[int, str]] = []

    def double(items: list[int]) -> list[int]:
        calls.append((len(items), threading.current_thread().name))
        return [2 * item for item in items]

    model = InPieces(double, PieceSize(least=1, most=1))
    backfill = RankedTurn(desk.turns, Rank(BACKFILL, 1))
    assert model(backfill, [1, 2, 3]) == [[2], [4], [6]]
    assert model(RankedTurn(desk.turns, Rank(SEARCH, 2)), [1, 2, 3]) == [[2, 4, 6]]
    assert model(OwnTurn(), [4]) == [[8]]
    assert [size for size, _ in calls] == [1, 1, 1, 3, 1]
    assert calls[0][1] == calls[3][1] != calls[4][1]


def test_interruption_and_division_change_no_result(desk: Desk) -> None:
    """A batch in pieces gives what the undivided batch gives, failures included."""
    desk.open()
    generator = np.random.default_rng(5)
    pictures = [generator.integers(0, 255, (40, 30 + i, 3), np.uint8) for i in range(6)]
    tasks = [
        PictureTask(Picture(rgb, (rgb.shape[1], 40), "PNG", None), key=f"{i:064x}")
        for i, rgb in enumerate(pictures)
    ] + [PictureTask(b"bad")]
    detector, embedder = FakeDetector(), FakeEmbedder()
    with PicturePipeline(detector, embedder, Limits()) as pipeline:
        whole = pipeline.run(tasks)
        assert ([len(call) for call in detector.calls], embedder.calls) == ([6], [30])
        divided = pipeline.run(tasks, RankedTurn(desk.turns, Rank(BACKFILL, 1)))
        assert len(detector.calls) > 1
        for one, other in zip(whole, divided, strict=True):
            assert (one.regions, one.failure) == (other.regions, other.failure)
            assert (one.vectors == other.vectors).all()


def test_a_lone_crop_of_an_index_is_never_embedded_alone() -> None:
    """It goes in twice, as runtimes may compute a single row in another order; a query does not."""
    embedder = FakeEmbedder()
    rgb = np.zeros((20, 20, 3), np.uint8)
    picture = Picture(rgb, (20, 20), "PNG", None)
    with PicturePipeline(FakeDetector(lambda _: ()), embedder, Limits()) as pipeline:
        [stored] = pipeline.run([PictureTask(picture)])
        [asked] = pipeline.run([PictureTask(picture, select=((0, 0, 20, 20),))])
    assert embedder.calls == [2, 1]
    assert len(stored.vectors) == 1
    assert (stored.vectors == asked.vectors).all()
