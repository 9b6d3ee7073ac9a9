from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.pipeline import PicturePipeline, PictureTask
from embedding_pipeline.pipeline.turns import OwnTurn, Rank, RankedTurn, Turns
from embedding_pipeline.settings import Settings
from minio_proxy.picture.header import Limits

pytestmark = pytest.mark.models


@pytest.fixture(scope="module", params=["native", "openvino"])
def pipeline(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PicturePipeline]:
    """The packaged models on each runtime."""
    settings = Settings(
        models="packaged",
        runtime=request.param,
        precision="fp32",
        data_dir=tmp_path_factory.mktemp("data"),
    )
    loaded = resolve_models(settings)
    with PicturePipeline(loaded.detector, loaded.embedder, Limits()) as made:
        yield made


def _bus() -> Image.Image:
    spec = find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    return Image.open(Path(spec.origin).parent / "assets" / "bus.jpg").convert("RGB")


def _encoded(image: Image.Image, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def test_division_and_interruption_change_no_bit(pipeline: PicturePipeline) -> None:
    """A batch in pieces, with searches in between, gives what each picture alone gives."""
    bus = _bus()
    sizes = ((810, 1080), (480, 640), (400, 300), (64, 64))
    tasks = [PictureTask(_encoded(bus.resize(size))) for size in sizes]
    alone = [pipeline.run([task])[0].checked() for task in tasks]
    turns = Turns(patience_s=0.05)
    server = threading.Thread(target=turns.serve)
    server.start()
    searching = threading.Event()

    def search() -> None:
        number = 1000
        while not searching.is_set():
            number += 1
            with turns.attending():
                pipeline.run([tasks[number % 4]], RankedTurn(turns, Rank(0, number)))

    searcher = threading.Thread(target=search)
    searcher.start()
    for number in range(2):
        divided = pipeline.run(tasks, RankedTurn(turns, Rank(2, number)))
        for one, other in zip(alone, divided, strict=True):
            assert one.detections == other.checked().detections
            assert (one.vectors == other.vectors).all()
    searching.set()
    searcher.join()
    turns.end()
    server.join()


def test_a_batch_gives_what_each_picture_alone_gives(pipeline: PicturePipeline) -> None:
    """To the bit: what an index holds does not depend on what arrived together."""
    bus = _bus()
    tasks = [PictureTask(_encoded(bus.crop((0, 0, 810 - 90 * i, 1080)))) for i in range(5)]
    together = pipeline.run(tasks, OwnTurn())
    for task, shared in zip(tasks, together, strict=True):
        [alone] = pipeline.run([task])
        assert alone.detections == shared.detections
        assert (alone.vectors == shared.vectors).all()


def test_a_large_photograph_has_the_objects_of_a_small_one(pipeline: PicturePipeline) -> None:
    """24 megapixels, decoded smaller: the same labels, boxes in its own pixels, like vectors."""
    bus = _bus()
    large = bus.resize((4242, 5656), Image.Resampling.BICUBIC)
    [small_found, large_found] = pipeline.run(
        [
            PictureTask(_encoded(bus.resize((1061, 1414)), quality=95)),
            PictureTask(_encoded(large, quality=95)),
        ]
    )
    assert large_found.checked().size_wh == (4242, 5656)
    certain = [
        [region for region in found.regions if (region.confidence or 1) > 0.5]
        for found in (small_found, large_found)
    ]
    assert len(certain[0]) >= 5
    assert [region.label for region in certain[0]] == [region.label for region in certain[1]]
    boxes = [np.array([region.box for region in found]) for found in certain]
    assert np.abs(4 * boxes[0] - boxes[1]).max() < 60
    # From one picture to one four times as wide nothing is gained or lost but compression noise.
    assert float(small_found.vectors[0] @ large_found.vectors[0]) > 0.95
