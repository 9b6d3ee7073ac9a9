from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from embedding_pipeline.errors import IndexUnavailable, ModelError, WeightsNotFound
from embedding_pipeline.pipeline import PicturePipeline, PictureResult, PictureTask
from embedding_pipeline.pipeline.runner import PipelineRunner, Priority
from embedding_pipeline.pipeline.turns import Turn
from minio_proxy.picture.decode import Picture
from minio_proxy.picture.header import Limits
from support.models_fakes import FakeDetector, FakeEmbedder


class GatedPipeline(PicturePipeline):
    """Keeps what it ran, in batches of keys; waits for a gate before each batch."""

    def __init__(self) -> None:
        super().__init__(FakeDetector(), FakeEmbedder(), Limits())
        self.gate = threading.Event()
        self.started = threading.Event()
        self.batches: list[list[str]] = []
        self.closed = False

    def warm_up(self) -> None:
        """Not through the gate."""

    def run(self, tasks: Sequence[PictureTask], turn: Turn | None = None) -> list[PictureResult]:
        """Run once the gate is open."""
        self.batches.append([task.key for task in tasks])
        self.started.set()
        assert self.gate.wait(10)
        if any(task.key == "break" for task in tasks):
            raise RuntimeError("broken pipeline")
        return super().run(tasks, turn)

    def close(self) -> None:
        """Note it."""
        self.closed = True
        super().close()


def _task(key: str) -> PictureTask:
    rgb = np.full((20, 20, 3), len(key), np.uint8)
    return PictureTask(Picture(rgb, (20, 20), "PNG", None), key=key)


def _tasks(prefix: str, count: int) -> list[PictureTask]:
    return [_task(f"{prefix}{i}") for i in range(count)]


def _runner(pipeline: PicturePipeline, **options: int) -> PipelineRunner:
    return PipelineRunner(lambda: pipeline, **{"lanes": 1, **options})  # type: ignore[arg-type]


def test_a_request_gets_its_results_in_order() -> None:
    """A request larger than a batch comes back whole; the empty one at once."""
    pipeline = GatedPipeline()
    pipeline.gate.set()
    runner = _runner(pipeline, batch_pictures=4)
    assert runner.run([]) == []
    results = runner.run(_tasks("a", 10))
    assert [result.key for result in results] == [f"a{i}" for i in range(10)]
    assert [len(batch) for batch in pipeline.batches] == [4, 4, 2]
    runner.close()
    assert pipeline.closed


def test_a_search_goes_its_own_way_beside_a_backfill() -> None:
    """It begins while the backfill's batch is under way, and shares none with it."""
    pipeline = GatedPipeline()
    runner = _runner(pipeline, batch_pictures=2)
    backfill = runner.submit(_tasks("b", 4), Priority.BACKFILL)
    assert pipeline.started.wait(10)
    search = runner.submit(_tasks("s", 1), Priority.SEARCH)
    while len(pipeline.batches) < 2:
        time.sleep(0.001)
    pipeline.gate.set()
    search.result(10)
    backfill.result(10)
    assert pipeline.batches == [["b0", "b1"], ["s0"], ["b2", "b3"]]
    runner.close()


def test_two_batches_of_a_request_are_under_way_at_once() -> None:
    """While one is at the models the next is decoded; no third begins."""
    pipeline = GatedPipeline()
    runner = _runner(pipeline, batch_pictures=2, lanes=2)
    waiting = runner.submit(_tasks("b", 6), Priority.BACKFILL)
    while len(pipeline.batches) < 2:
        time.sleep(0.001)
    assert sorted(pipeline.batches) == [["b0", "b1"], ["b2", "b3"]]
    pipeline.gate.set()
    assert [result.key for result in waiting.result(10)] == [f"b{i}" for i in range(6)]
    runner.close()


def test_requests_that_wait_together_share_a_batch() -> None:
    """Three searches that arrive during a batch are answered by one, bounded."""
    pipeline = GatedPipeline()
    runner = _runner(pipeline, batch_pictures=2)
    first = runner.submit(_tasks("x", 1))
    assert pipeline.started.wait(10)
    waiting = [runner.submit([_task(f"s{i}")]) for i in range(3)]
    pipeline.gate.set()
    assert [f.result(10)[0].key for f in (first, *waiting)] == ["x0", "s0", "s1", "s2"]
    assert pipeline.batches == [["x0"], ["s0", "s1"], ["s2"]]
    runner.close()


def test_a_full_queue_makes_the_sender_wait() -> None:
    """A backfill cannot pile up pictures; a search is not held up by its queue."""
    pipeline = GatedPipeline()
    runner = _runner(pipeline, batch_pictures=1, max_waiting=2)
    runner.submit([_task("b0")], Priority.BACKFILL)
    assert pipeline.started.wait(10)
    runner.submit(_tasks("c", 2), Priority.BACKFILL)
    sent = threading.Event()

    def send() -> None:
        runner.submit([_task("late")], Priority.BACKFILL)
        sent.set()

    thread = threading.Thread(target=send)
    thread.start()
    assert not sent.wait(0.1)
    search = runner.submit([_task("s")], Priority.SEARCH)
    pipeline.gate.set()
    assert sent.wait(10)
    search.result(10)
    thread.join()
    runner.close()


def test_what_breaks_the_pipeline_reaches_its_callers_only() -> None:
    """The exception is the request's; the next one is served."""
    pipeline = GatedPipeline()
    pipeline.gate.set()
    runner = _runner(pipeline)
    with pytest.raises(RuntimeError, match="broken pipeline"):
        runner.run([_task("break")])
    assert runner.run([_task("fine")])[0].failure is None
    runner.close()


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        pytest.param(WeightsNotFound("no weights"), WeightsNotFound, id="own"),
        pytest.param(OSError("no torch"), ModelError, id="foreign"),
    ],
)
def test_models_that_cannot_be_loaded_are_everyones_error(
    raised: Exception, kind: type[Exception]
) -> None:
    """The runner says so, is never ready, and every request fails with the reason."""

    def factory() -> PicturePipeline:
        raise raised

    runner = PipelineRunner(factory)
    assert runner.wait_ready(10) is False
    assert isinstance(runner.error, kind)
    with pytest.raises(kind):
        runner.run([_task("a")])
    runner.close()


def test_loading_happens_in_the_runners_thread_and_requests_wait_for_it() -> None:
    """Requests are taken before the models are there and answered afterwards."""
    loading = threading.Event()
    threads: list[str] = []
    pipeline = GatedPipeline()
    pipeline.gate.set()

    def factory() -> PicturePipeline:
        threads.append(threading.current_thread().name)
        assert loading.wait(10)
        return pipeline

    runner = PipelineRunner(factory)
    early = runner.submit([_task("early")])
    assert not runner.ready
    assert runner.wait_ready(0.01) is False
    loading.set()
    assert runner.wait_ready(10) is True
    assert early.result(10)[0].key == "early"
    assert threads == ["pipeline"]
    runner.close()


def test_closing_fails_what_waits_and_refuses_more() -> None:
    """The running batch is finished, the rest says that the pipeline is closed."""
    pipeline = GatedPipeline()
    runner = _runner(pipeline, batch_pictures=1)
    running = runner.submit([_task("a")])
    assert pipeline.started.wait(10)
    waiting = runner.submit([_task("b")])
    closer = threading.Thread(target=runner.close)
    closer.start()
    pipeline.gate.set()
    closer.join(10)
    assert running.result(10)[0].key == "a"
    with pytest.raises(ModelError, match="closed"):
        waiting.result(10)
    with pytest.raises(ModelError, match="closed"):
        runner.submit([_task("c")])


def test_a_cancelled_request_is_not_run() -> None:
    """Its pictures never reach the models."""
    pipeline = GatedPipeline()
    runner = _runner(pipeline)
    first = runner.submit([_task("a")])
    assert pipeline.started.wait(10)
    dropped = runner.submit([_task("dropped")])
    assert dropped.cancel()
    last: Callable[[], object] = runner.submit([_task("c")], Priority.BACKFILL).result
    pipeline.gate.set()
    first.result(10)
    last()
    assert pipeline.batches == [["a"], ["c"]]
    runner.close()


def test_what_was_away_comes_back_without_a_restart() -> None:
    """The factory is called again until it works; requests fail with the reason until then."""
    calls: list[int] = []
    back = threading.Event()

    def factory() -> PicturePipeline:
        calls.append(1)
        if not back.is_set():
            raise IndexUnavailable("the index is away")
        return PicturePipeline(FakeDetector(), FakeEmbedder(), Limits())

    runner = PipelineRunner(factory, retry_s=0.01)
    assert runner.wait_ready(10) is False
    with pytest.raises(IndexUnavailable):
        runner.run([_task("a")])
    back.set()
    until = time.monotonic() + 10
    while not runner.ready and time.monotonic() < until:
        time.sleep(0.01)
    assert runner.error is None
    assert runner.run([_task("a")])[0].failure is None
    assert len(calls) > 1
    runner.close()


def test_a_runner_whose_index_stays_away_can_be_closed() -> None:
    """It does not wait for the next try."""

    def factory() -> PicturePipeline:
        raise IndexUnavailable("the index is away")

    runner = PipelineRunner(factory, retry_s=3600)
    assert runner.wait_ready(10) is False
    runner.close()
    assert not runner._thread.is_alive()


def test_pipelines_are_exchanged_between_batches() -> None:
    """What was begun ends with the one before, what comes later gets the next; it is closed."""
    first, second = GatedPipeline(), GatedPipeline()
    second.gate.set()
    runner = _runner(first)
    begun = runner.submit([_task("a")])
    assert first.started.wait(10)
    moments: list[bool] = []
    exchange = threading.Thread(
        target=runner.exchange, args=(second, lambda: moments.append(begun.done()))
    )
    exchange.start()
    first.gate.set()
    exchange.join(10)
    assert begun.result(10)[0].key == "a"
    assert runner.run([_task("b")])[0].key == "b"
    assert (moments, first.closed, second.closed) == ([True], True, False)
    assert second.batches == [["b"]]
    runner.close()
    assert second.closed


def test_an_exchange_that_fails_keeps_the_pipeline_before() -> None:
    """The error is raised where the exchange was asked for."""
    first, second = GatedPipeline(), GatedPipeline()
    first.gate.set()
    runner = _runner(first)
    assert runner.wait_ready(10)

    def then() -> None:
        raise IndexUnavailable("the index is away")

    with pytest.raises(IndexUnavailable):
        runner.exchange(second, then)
    assert runner.run([_task("a")])[0].failure is None
    runner.close()
    with pytest.raises(ModelError):
        runner.exchange(second, lambda: None)
    second.close()
