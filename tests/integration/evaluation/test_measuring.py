"""Measurements through a whole Boxseek, with models whose answers are known."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from elasticsearch import Elasticsearch
from PIL import Image

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.evaluation.image_queries import split
from embedding_pipeline.evaluation.labelled import LabelledPicture
from embedding_pipeline.evaluation.measuring import Measurement, Options, measure
from embedding_pipeline.evaluation.reading import read_labelled
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from support.models_fakes import FakeDetector, FakeEmbedder, quadrants

# FakeDetector finds one object in every quadrant: person, car, dog, cat, at 0.9 to 0.6.
PERSON_WHERE_IT_IS = "0 0.25 0.25 0.5 0.5"
CAR_WHERE_THE_CAT_IS = "1 0.75 0.75 0.5 0.5"


class Steps:
    """A Watcher that counts."""

    def __init__(self) -> None:
        self.stages: dict[str, list[int]] = {}

    def begin(self, stage: str, total: int) -> None:
        """Remember the total."""
        self.stages[stage] = [total, 0]

    def advance(self, steps: int = 1) -> None:
        """Count."""
        list(self.stages.values())[-1][1] += steps


def fake_models(settings: Settings, description: ModelDescription | None) -> LoadedModels:
    """One object in every quadrant; equal crops get equal vectors."""
    detector, embedder = FakeDetector(), FakeEmbedder()
    return LoadedModels(
        detector, embedder, ModelDescription(detector.description, embedder.description)
    )


def _picture(path: Path, seed: int, person: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    pixels[:50, :60] = np.random.default_rng(person).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Three pictures: two with the very same person, one that is broken."""
    folder = tmp_path / "boxes"
    (folder / "labels").mkdir(parents=True)
    for name, seed in (("a", 1), ("b", 2)):
        _picture(folder / "images" / f"{name}.png", seed, person=99)
        lines = f"{PERSON_WHERE_IT_IS}\n{CAR_WHERE_THE_CAT_IS}\n"
        (folder / "labels" / f"{name}.txt").write_text(lines)
    (folder / "images" / "c.png").write_bytes(b"no picture")
    return folder


def figures_items(result: Measurement, key: str) -> int:
    """How many queries a figure is of."""
    return result.figures()[key].items


def _measured(place: Path, steps: Steps | None = None, **options: int) -> Measurement:
    labelled = read_labelled(place)
    chosen = Options(**options)  # type: ignore[arg-type]
    return measure(
        "fake", Settings(), labelled, steps or Steps(), options=chosen, models=fake_models
    )


def test_every_measure_of_marked_objects(boxes: Path) -> None:
    """Of two marked objects one is found; four documents a picture, two on marked objects."""
    steps = Steps()
    result = _measured(boxes, steps)
    value = {key: figure.value for key, figure in result.figures().items()}
    assert (result.pictures, result.objects, result.documents) == (2, 4, 8)
    assert value["coverage"] == 0.5
    assert value["documents_per_object"] == 2.0
    assert value["document_precision"] == 0.25
    assert value["label_accuracy"] == 0.5
    # The same person asks and is the first answer; the cat's place shows a car to people.
    for kind in ("marked", "asked", "detected"):
        assert value[f"{kind}_p10"] == pytest.approx(0.1), kind
        assert 0.5 <= value[f"{kind}_map10"] <= 1.0, kind
        assert value[f"{kind}_recall50"] == 1.0, kind
    # Of the archive: the person elsewhere is found, and so is the car, which is indexed as a cat.
    assert value["archive_recall50"] == 1.0
    assert figures_items(result, "archive_p10") == 4
    # Among labels "person" only the other picture's person is left.
    assert value["ann_recall10"] == 1.0
    assert result.figures()["asked_map10"].items == 4
    assert all(total == done for total, done in steps.stages.values())
    ((where, reason),) = [(one.where, one.reason) for one in result.problems]
    assert where == "c.png"
    assert reason


def test_the_floor_in_force_decides_about_nothing(boxes: Path) -> None:
    """A floor that nothing reaches answers nothing: right where nothing is, wrong elsewhere."""
    labelled = read_labelled(boxes)
    loose = measure("loose", Settings(), labelled, Steps(), models=fake_models)
    strict = measure("strict", Settings(min_score=0.999), labelled, Steps(), models=fake_models)
    # Every picture has both classes, so that with a class held out no picture is left.
    assert "nothing_right" not in loose.figures()
    assert loose.figures()["nothing_wrong"].value == 0.0
    assert strict.figures()["nothing_wrong"].value == pytest.approx(0.5)
    assert len(loose.floors.answerable) == 4
    assert max(loose.floors.answerable) == pytest.approx(1.0, abs=1e-5)


def test_whole_pictures_of_a_class(tmp_path: Path) -> None:
    """The copy of an indexed picture finds it first; held out, its class has no answer."""
    for label, seed in (("x", 10), ("y", 20), ("z", 30)):
        for number in range(3):
            _picture(tmp_path / "set" / label / f"{number}.png", seed + number, person=seed)
    result = _measured(tmp_path / "set", gallery_a_class=2, queries_a_class=1)
    figures = result.figures()
    assert (result.pictures, figures["image_map10"].items) == (6, 3)
    assert figures["image_recall50"].value == 1.0
    assert figures["image_p10"].value == pytest.approx(0.2)
    assert figures["nothing_right"].value == 0.0
    assert len(result.floors.unanswerable) == 3
    assert "coverage" not in figures
    assert len(result.worst["image"]) == 3
    assert result.worst["image"][0].average_precision == min(
        one.average_precision for one in result.worst["image"]
    )


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A query that is no picture and an indexed file that vanished stop nothing else."""
    for number in range(2):
        _picture(tmp_path / "set" / "x" / f"{number}.png", number, person=1)
        _picture(tmp_path / "set" / "y" / f"{number}.png", 5 + number, person=2)
    labelled = read_labelled(tmp_path / "set")
    (tmp_path / "set" / "x" / "1.png").write_bytes(b"no picture")
    (tmp_path / "set" / "x" / "0.png").unlink()
    result = measure("fake", Settings(), labelled, Steps(), models=fake_models)
    assert sorted(problem.where for problem in result.problems) == ["x/0.png", "x/1.png"]
    assert result.pictures == 1
    assert result.figures()["image_map10"].value == 1.0


def test_nothing_is_left_behind(
    boxes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the settings' data folder nor a temporary one remains."""
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    _measured(boxes)
    assert not (tmp_path / "data").exists()
    assert list(own.glob("boxseek-eval-*")) == []


@pytest.mark.parametrize(
    ("sizes", "gallery", "queries", "expected"),
    [
        pytest.param([12], 10, 1, (10, 1), id="more than needed"),
        pytest.param([11], 10, 1, (10, 1), id="just enough"),
        pytest.param([5], 10, 1, (4, 1), id="small class"),
        pytest.param([12], 10, 5, (10, 2), id="queries are what is left"),
        pytest.param([1], 10, 1, (1, 0), id="one picture asks nothing"),
        pytest.param([12], 0, 2, (10, 2), id="all but those that ask"),
        pytest.param([2, 12], 10, 1, (11, 2), id="each class for itself"),
    ],
)
def test_classes_are_split(
    sizes: list[int], gallery: int, queries: int, expected: tuple[int, int]
) -> None:
    """No picture is in both parts, and a class that asks has an answer."""
    pictures = [
        LabelledPicture(f"{label}/{number:02d}", Path("x"), label=str(label))
        for label, size in enumerate(sizes)
        for number in range(size)
    ]
    indexed, asking = split(pictures, gallery, queries)
    assert (len(indexed), len(asking)) == expected
    assert not {one.name for one in indexed} & {one.name for one in asking}


@pytest.mark.elasticsearch
def test_elasticsearch_gives_the_same_and_keeps_nothing(
    boxes: Path, elasticsearch_url: str
) -> None:
    """Coverage and rankings do not depend on the index; its versions are gone afterwards."""
    settings = Settings(
        index="elasticsearch", elasticsearch_url=elasticsearch_url, elasticsearch_index="measured"
    )
    labelled = read_labelled(boxes)
    result = measure("es", settings, labelled, Steps(), models=fake_models)
    other = measure("lance", Settings(), labelled, Steps(), models=fake_models)
    found, expected = result.figures(), other.figures()
    assert found["ann_recall10"].value == 1.0
    for key in ("coverage", "asked_map10", "detected_map10", "marked_map10", "nothing_wrong"):
        assert found[key].value == pytest.approx(expected[key].value), key
    with Elasticsearch(elasticsearch_url) as client:
        assert not client.indices.get(index="measured*", allow_no_indices=True).body


def test_what_the_index_lacks_is_missed(boxes: Path) -> None:
    """With the best detection alone, the car is in no index, and asking for it finds none."""

    def best_alone(settings: Settings, description: ModelDescription | None) -> LoadedModels:
        loaded = fake_models(settings, description)
        return replace(loaded, detector=FakeDetector(lambda rgb: quadrants(rgb)[:1]))

    labelled = read_labelled(boxes)
    figures = measure("one", Settings(), labelled, Steps(), models=best_alone).figures()
    assert figures["asked_recall50"].value == 1.0
    assert figures["asked_recall50"].items == 2
    assert figures["archive_recall50"].value == 0.5
    assert figures["archive_recall50"].items == 4
