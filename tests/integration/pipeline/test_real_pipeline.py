from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedding_pipeline.domain.boxes import iou_matrix
from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.pipeline import PicturePipeline, PictureResult, PictureTask
from embedding_pipeline.settings import Settings
from minio_proxy.picture.header import Limits

pytestmark = pytest.mark.models

# What a camera held this way stores; EXIF then tells how to turn it upright again.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PicturePipeline]:
    """The packaged models with the default settings."""
    settings = Settings(models="packaged", data_dir=tmp_path_factory.mktemp("data"))
    loaded = resolve_models(settings)
    with PicturePipeline(loaded.detector, loaded.embedder, Limits()) as made:
        yield made


def _bus() -> Image.Image:
    spec = find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    return Image.open(Path(spec.origin).parent / "assets" / "bus.jpg").convert("RGB")


def _oriented(orientation: int, kind: str = "PNG") -> bytes:
    """bus.jpg as a camera held this way stores it; PNG loses nothing, JPEG a little."""
    image = _bus()
    how = STORED[orientation]
    stored = image if how is None else image.transpose(how)
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    file = io.BytesIO()
    stored.save(
        file, kind, exif=exif, **({"quality": 98, "subsampling": 0} if kind == "JPEG" else {})
    )
    return file.getvalue()


def _assert_same(results: list[PictureResult], *, pixels: float = 2, cosine: float = 0.99) -> None:
    """Same size, same labels, boxes within so many pixels, vectors of this cosine at least."""
    reference = results[0].checked()
    for result in results[1:]:
        assert result.checked().size_wh == reference.size_wh
        assert [r.label for r in result.regions] == [r.label for r in reference.regions]
        boxes = [np.array([r.box for r in one.regions]) for one in (reference, result)]
        assert np.abs(boxes[0] - boxes[1]).max() <= pixels
        assert (reference.vectors * result.vectors).sum(axis=1).min() >= cosine


def test_eight_orientations_give_the_same_boxes_and_vectors(pipeline: PicturePipeline) -> None:
    """However a camera was held, the upright picture has the same objects in the same places."""
    results = pipeline.run([PictureTask(_oriented(number)) for number in STORED])
    assert len(results[0].checked().regions) >= 5
    _assert_same(results)
    assert all((one.vectors == results[0].vectors).all() for one in results)


def test_compression_noise_moves_boxes_and_vectors_only_a_little(tmp_path: Path) -> None:
    """A JPEG stored turned has other noise: boxes within 3 pixels, cosine at least 0.97.

    With the floor of the plain quality: below, noise decides what is an object at all.
    """
    numbers = (1, 3, 6, 8)
    loaded = resolve_models(Settings(models="packaged", quality="plain", data_dir=tmp_path))
    with PicturePipeline(loaded.detector, loaded.embedder, Limits()) as plain:
        results = plain.run([PictureTask(_oriented(number, "JPEG")) for number in numbers])
    _assert_same(results, pixels=3, cosine=0.97)


@pytest.mark.data
@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_eight_orientations_of_shared_pictures(
    pipeline: PicturePipeline, test_data: Path, suffix: str
) -> None:
    """One upright picture each, encoded several times: same objects, boxes within 2 pixels.

    The encodings differ by 2 to 4 grey levels a pixel, which moves lite0's vectors of these
    128-pixel pictures to a cosine of 0.94; where the pixels are the same (JPEG 2 to 4 and
    5 to 8), vectors are.
    """
    files = sorted((test_data / "hostile" / "orientation").glob(f"hopper_orientation_*.{suffix}"))
    assert len(files) == 7
    results = [r.checked() for r in pipeline.run([PictureTask(f.read_bytes()) for f in files])]
    assert len({result.size_wh for result in results}) == 1
    _assert_same(results, cosine=0.92)
    if suffix == "jpg":
        _assert_same(results[:3])
        _assert_same(results[3:])


def test_each_object_finds_itself_first(pipeline: PicturePipeline) -> None:
    """Among all regions of two pictures every vector's best match is itself, score 1."""
    bus = _oriented(1)
    noise = np.random.default_rng(4).integers(0, 255, (90, 120, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    results = pipeline.run([PictureTask(bus), PictureTask(file.getvalue())])
    vectors = np.concatenate([result.checked().vectors for result in results])
    scores = vectors @ vectors.T
    assert (scores.argmax(axis=1) == np.arange(len(vectors))).all()
    assert np.diag(scores) == pytest.approx(1, abs=1e-5)


def test_a_results_box_searched_again_gives_the_same_vector(pipeline: PicturePipeline) -> None:
    """Cutting a detection's box without detecting again is the same crop."""
    [whole] = pipeline.run([PictureTask(_oriented(1))])
    box = whole.checked().regions[1].box
    [again] = pipeline.run([PictureTask(_oriented(1), select=(box,), detect=False)])
    assert float(again.checked().vectors[0] @ whole.vectors[1]) >= 0.99999


def test_results_do_not_depend_on_batch_mates(pipeline: PicturePipeline) -> None:
    """Real models: equal detections and vectors alone and in a batch."""
    tasks = [PictureTask(_oriented(number)) for number in (1, 6, 3)]
    together = pipeline.run(tasks)
    for task, shared in zip(tasks, together, strict=True):
        [alone] = pipeline.run([task])
        assert alone.detections == shared.detections
        assert (alone.vectors * shared.vectors).sum(axis=1).min() >= 0.99999


def test_random_vit_b16_runs_end_to_end(tmp_path: Path) -> None:
    """The seed's ViT-B/16 with seeded random weights: 768 dimensions, unit norm, self first."""
    settings = Settings(
        models="packaged", embedder="random:vit_base_patch16_224", data_dir=tmp_path
    )
    loaded = resolve_models(settings)
    assert loaded.description.embedder.origin == "random"
    assert loaded.description.embedder.dimension == 768
    with PicturePipeline(loaded.detector, loaded.embedder, Limits()) as made:
        [result] = made.run([PictureTask(_oriented(1))])
    vectors = result.checked().vectors
    assert vectors.shape == (len(result.regions), 768)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert ((vectors @ vectors.T).argmax(axis=1) == np.arange(len(vectors))).all()
    boxes = np.array([region.box for region in result.regions])
    assert (iou_matrix(boxes, boxes).diagonal() == 1).all()
