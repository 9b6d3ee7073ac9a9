from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.errors import InvalidQuery, InvalidVector, ModelError
from embedding_pipeline.pipeline import PicturePipeline, PictureTask, Select
from embedding_pipeline.pipeline.entries import to_entries
from embedding_pipeline.pipeline.flow import compose, compose_plainly
from embedding_pipeline.ports.models import Crops
from minio_proxy.errors import PictureTooLarge, UnsupportedFormat
from minio_proxy.picture.decode import Picture, decode
from minio_proxy.picture.header import Limits
from support.models_fakes import LABELS, FakeDetector, FakeEmbedder

KEY = "a" * 64


def _png(seed: int, size_wh: tuple[int, int] = (60, 40)) -> bytes:
    rgb = np.random.default_rng(seed).integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8)
    return bytes(cv2.imencode(".png", rgb)[1])


def _pipeline(
    detector: FakeDetector | None = None, embedder: FakeEmbedder | None = None, **options: object
) -> PicturePipeline:
    return PicturePipeline(
        detector or FakeDetector(),
        embedder or FakeEmbedder(),
        Limits(),
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
def pipeline() -> Iterator[PicturePipeline]:
    """A pipeline of fakes."""
    with _pipeline() as made:
        yield made


def test_all_regions_of_a_picture_are_embedded(pipeline: PicturePipeline) -> None:
    """The whole picture comes first, then each detection; vectors have unit length."""
    [result] = pipeline.run([PictureTask(_png(1), key=KEY)])
    assert result.failure is None
    assert result.size_wh == (60, 40)
    assert [region.kind for region in result.regions] == ["image"] + ["object"] * 4
    assert [region.label for region in result.regions] == [None, *LABELS]
    assert result.regions[0].box == (0, 0, 60, 40)
    assert result.vectors.dtype == np.float32
    assert np.linalg.norm(result.vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert {"decode", "detect", "embed"} <= set(result.timings_ms)


def test_no_tasks_give_no_results(pipeline: PicturePipeline) -> None:
    """The empty batch never reaches the models."""
    assert pipeline.run([]) == []


def test_results_do_not_depend_on_the_batch(pipeline: PicturePipeline) -> None:
    """Each picture gives the same detections and vectors alone and among others."""
    tasks = [PictureTask(_png(seed, (50 + seed, 40)), key=f"{seed:064x}") for seed in range(11)]
    together = pipeline.run(tasks)
    for task, shared in zip(tasks, together, strict=True):
        [alone] = pipeline.run([task])
        assert alone.detections == shared.detections
        assert (alone.vectors == shared.vectors).all()
        assert shared.key == task.key


def test_a_picture_without_detections_still_has_its_whole_entry() -> None:
    """Nothing found: one region, the picture; beside it others keep all of theirs."""
    with _pipeline(FakeDetector(lambda rgb: () if rgb.shape[1] == 60 else _one(rgb))) as made:
        empty, full = made.run([PictureTask(_png(1)), PictureTask(_png(2, (50, 40)))])
    assert [region.kind for region in empty.regions] == ["image"]
    assert empty.vectors.shape == (1, 16)
    assert full.vectors.shape == (2, 16)


def _one(rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
    return (Detection((0.0, 0.0, 10.0, 10.0), "dog", 0.5),)


def test_a_bad_picture_fails_alone(pipeline: PicturePipeline) -> None:
    """Its stage, reason and code are said; the others of its batch are whole."""
    results = pipeline.run(
        [PictureTask(_png(1)), PictureTask(b"no picture", key="bad"), PictureTask(_png(2))]
    )
    assert [result.failure is None for result in results] == [True, False, True]
    failure = results[1].failure
    assert failure is not None
    assert (failure.key, failure.stage, failure.retryable) == ("bad", "decode", False)
    assert failure.code == "unsupported_format"
    with pytest.raises(UnsupportedFormat):
        results[1].checked()


def test_limits_are_kept() -> None:
    """A picture with too many pixels fails before it is decoded."""
    with PicturePipeline(FakeDetector(), FakeEmbedder(), Limits(max_pixels=100)) as made:
        [result] = made.run([PictureTask(_png(1))])
    assert isinstance(result.error, PictureTooLarge)


def test_each_picture_is_decoded_exactly_once() -> None:
    """Detecting, cropping and embedding share one decode; a decoded picture needs none."""
    decoded: list[bytes] = []

    def counting(data: bytes, limits: Limits) -> Picture:
        decoded.append(data)
        return decode(data, limits)

    files = [_png(seed) for seed in range(5)]
    ready = decode(_png(9), Limits())
    with _pipeline(decode_function=counting) as made:
        made.run([*(PictureTask(file) for file in files), PictureTask(ready)])
    assert sorted(decoded) == sorted(files)


def test_crops_of_a_batch_go_through_one_call_each() -> None:
    """Eight pictures cost one detector call and one embedder call."""
    detector, embedder = FakeDetector(), FakeEmbedder()
    with _pipeline(detector, embedder) as made:
        made.run([PictureTask(_png(seed)) for seed in range(8)])
    assert [len(call) for call in detector.calls] == [8]
    assert embedder.calls == [40]


def test_batches_keep_the_pixel_budget() -> None:
    """Large pictures are worked on in smaller batches, a too large one alone."""
    detector = FakeDetector()
    sizes = [(60, 40), (60, 40), (100, 100), (60, 40), (60, 40), (60, 40)]
    with _pipeline(detector, pixel_budget=5000) as made:
        results = made.run([PictureTask(_png(i, size)) for i, size in enumerate(sizes)])
    assert [len(call) for call in detector.calls] == [2, 1, 2, 1]
    assert [result.size_wh for result in results] == sizes


@pytest.mark.parametrize(
    ("select", "boxes"),
    [
        pytest.param(Select.NONE, [], id="none"),
        pytest.param((), [], id="no-boxes"),
        pytest.param(((1.0, 2.0, 30.0, 20.0),), [(1, 2, 30, 20)], id="one-box"),
        pytest.param(((-5.0, -5.0, 99.0, 99.0),), [(0, 0, 60, 40)], id="clipped"),
        pytest.param(lambda found, _: [found[1].box_xyxy], [(30, 0, 60, 20)], id="chosen"),
        pytest.param(lambda _, size: [(0, 0, *size)], [(0, 0, 60, 40)], id="chosen-whole"),
    ],
)
def test_what_is_selected_is_embedded(
    pipeline: PicturePipeline, select: object, boxes: list[tuple[int, ...]]
) -> None:
    """Boxes may be none, given or chosen from the detections."""
    [result] = pipeline.run([PictureTask(_png(1), select=select)])  # type: ignore[arg-type]
    assert result.failure is None
    assert [region.box for region in result.regions] == boxes
    assert result.vectors.shape == (len(boxes), 16)
    assert len(result.detections) == 4


def test_a_region_knows_its_detection(pipeline: PicturePipeline) -> None:
    """A chosen box that is a detection's carries its label; the whole picture is an image."""
    task = PictureTask(_png(1), select=lambda found, size: [found[2].box_xyxy, (0, 0, *size)])
    [result] = pipeline.run([task])
    assert [(r.kind, r.label) for r in result.regions] == [("object", "dog"), ("image", None)]


def test_given_boxes_need_no_detector() -> None:
    """With detect off the detector is not called."""
    detector = FakeDetector()
    with _pipeline(detector) as made:
        [result] = made.run([PictureTask(_png(1), select=((0, 0, 9, 9),), detect=False)])
    assert detector.calls == []
    assert result.detections == ()
    assert len(result.vectors) == 1


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((100.0, 100.0, 120.0, 120.0), id="outside"),
        pytest.param((30.0, 20.0, 10.0, 5.0), id="inverted"),
    ],
)
def test_a_box_that_covers_nothing_is_an_invalid_query(
    pipeline: PicturePipeline, box: tuple[float, float, float, float]
) -> None:
    """It fails its own task and says the parameter."""
    bad, good = pipeline.run([PictureTask(_png(1), select=(box,)), PictureTask(_png(2))])
    assert isinstance(bad.error, InvalidQuery)
    assert bad.failure is not None
    assert bad.failure.stage == "crop"
    assert good.failure is None


def test_an_error_of_the_choosing_function_reaches_the_caller(pipeline: PicturePipeline) -> None:
    """What it raises is the failure, unchanged."""

    def choose(found: Sequence[Detection], size: tuple[int, int]) -> list[object]:
        raise InvalidQuery("no such object", parameter="box")

    [result] = pipeline.run([PictureTask(_png(1), select=choose)])  # type: ignore[arg-type]
    with pytest.raises(InvalidQuery, match="no such object"):
        result.checked()


def test_a_detector_that_breaks_on_one_picture_fails_only_that_one() -> None:
    """The exception becomes a named failure of the guilty picture, to be tried again."""

    def find(rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        if rgb.shape[1] == 50:
            raise RuntimeError("out of registers")
        return _one(rgb)

    with _pipeline(FakeDetector(find)) as made:
        results = made.run([PictureTask(_png(1), key="x"), PictureTask(_png(2, (50, 40)), key="y")])
    assert results[0].failure is None
    failure = results[1].failure
    assert failure is not None
    assert (failure.key, failure.stage, failure.retryable) == ("y", "detect", True)
    assert "out of registers" in failure.reason
    assert isinstance(results[1].error, ModelError)


class _Spoiled(FakeEmbedder):
    """Spoils the second vector of every call of more than two."""

    def __init__(self, spoil: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        super().__init__()
        self._spoil = spoil

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Vectors, spoiled."""
        vectors = super().embed(crops)
        return self._spoil(vectors) if len(crops) > 2 else vectors


def _set(value: float) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    def spoil(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors[1] = value
        return vectors

    return spoil


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(_set(0.0), f"{KEY}-001", id="zero"),
        pytest.param(_set(float("nan")), f"{KEY}-001", id="nan"),
        pytest.param(_set(float("inf")), f"{KEY}-001", id="infinite"),
        pytest.param(lambda vectors: vectors[:, :3], f"{KEY}-000", id="wrong-size"),
    ],
)
def test_a_bad_vector_is_an_error_naming_the_object(
    spoil: Callable[[NDArray[np.float32]], NDArray[np.float32]], named: str
) -> None:
    """Zero, NaN and wrong-sized vectors never leave the pipeline."""
    with _pipeline(embedder=_Spoiled(spoil)) as made:
        [result] = made.run([PictureTask(_png(1), key=KEY)])
    assert isinstance(result.error, InvalidVector)
    assert result.error.details["object_id"] == named
    assert named in result.error.message
    assert result.regions == ()
    assert len(result.vectors) == 0


def test_towhee_and_plain_python_compose_the_same() -> None:
    """Benchmarks compare two compositions of equal results."""
    tasks = [PictureTask(_png(seed)) for seed in range(3)] + [PictureTask(b"bad")]
    with _pipeline(composer=compose) as one, _pipeline(composer=compose_plainly) as other:
        for a, b in zip(one.run(tasks), other.run(tasks), strict=True):
            assert (a.regions, a.detections, a.failure) == (b.regions, b.detections, b.failure)
            assert (a.vectors == b.vectors).all()


def test_entries_carry_ranks_and_what_the_record_says() -> None:
    """Rank 0 is the whole picture; only it says that objects were left out."""
    with _pipeline(FakeDetector(truncated=True)) as made:
        [result] = made.run([PictureTask(_png(1), key=KEY)])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made_entries = to_entries(
        KEY, result, collections=("b", "a"), metadata={"x": 1}, taken_at=now, ingested_at=now
    )
    assert [entry.object_id for entry in made_entries.entries] == [
        f"{KEY}-{rank:03d}" for rank in range(5)
    ]
    first, second = made_entries.entries[:2]
    assert (first.kind, first.label, first.area_share, first.truncated) == ("image", None, 1, True)
    assert (second.kind, second.label, second.area_share) == ("object", "person", 0.25)
    assert second.truncated is False
    assert second.collections == ("a", "b")
    assert made_entries.vectors is result.vectors


def test_a_failed_result_makes_no_entries(pipeline: PicturePipeline) -> None:
    """Its own error is raised."""
    [result] = pipeline.run([PictureTask(b"bad")])
    with pytest.raises(UnsupportedFormat):
        to_entries(KEY, result, ingested_at=datetime.now(UTC))
