"""Every recipe on a small set of its form, with random weights that the test asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model

from embedding_pipeline.bootstrap import real_models
from embedding_pipeline.cli.evaluating import Wanted, run_evaluation
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.recipes import (
    RECIPES,
    Recipe,
    recipe_models,
    recipe_named,
    recipe_settings,
    redescribed,
)
from embedding_pipeline.models.torchvision_embedder import is_torchvision, weights_url
from embedding_pipeline.pipeline.crop import cut
from embedding_pipeline.settings import Settings

pytestmark = pytest.mark.models

VOC = """<annotation><filename>{name}.png</filename><object><name>motorbike</name><bndbox>
<xmin>1</xmin><ymin>1</ymin><xmax>60</xmax><ymax>60</ymax></bndbox></object></annotation>"""


def _picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (80, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _folders(place: Path) -> None:
    for label in ("ant", "bee"):
        for number in range(3):
            _picture(place / label / f"{number}.png", hash_of(label) + number)


def _voc(place: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        _picture(place / "JPEGImages" / f"{name}.png", seed)
        (place / "Annotations").mkdir(exist_ok=True)
        (place / "Annotations" / f"{name}.xml").write_text(VOC.format(name=name))


def _cifar(place: Path) -> None:
    place.mkdir()
    generator = np.random.default_rng(1)
    rows = [
        bytes([0, row % 2]) + generator.integers(0, 255, 3072, dtype=np.uint8).tobytes()
        for row in range(24)
    ]
    (place / "test.bin").write_bytes(b"".join(rows))
    (place / "fine_label_names.txt").write_text("apple\nbear\n")


def _coco(place: Path) -> None:
    for seed, name in enumerate(("a.png", "b.png")):
        _picture(place / "val2017" / name, seed)
    (place / "annotations").mkdir()
    document = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"image_id": number, "category_id": 1, "bbox": [2, 2, 60, 60]} for number in (1, 2)
        ],
    }
    (place / "annotations" / "instances_val2017.json").write_text(json.dumps(document))


def hash_of(text: str) -> int:
    """A small number that is the same every time."""
    return hashlib.sha256(text.encode()).digest()[0]


MAKERS: dict[str, Callable[[Path], None]] = {
    "folders": _folders,
    "voc": _voc,
    "cifar100": _cifar,
    "coco": _coco,
}


def _settings(recipe: Recipe, folder: Path) -> Settings:
    """Random weights, explicitly: by name, or as a file whose sum is trusted."""
    if not is_torchvision(recipe.embedder):
        name = f"random:{recipe.embedder.partition('.')[0]}"
        return Settings(
            models="packaged", embedder=name, runtime="native", precision="fp32", threads=1
        )
    folder.mkdir()
    file = folder / weights_url(recipe.embedder).rpartition("/")[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = get_model(recipe.embedder.removeprefix("torchvision:"), weights=None)
        torch.save(network.state_dict(), file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return Settings(
        models="packaged",
        models_dir=folder,
        trusted_sha256=sha256,
        runtime="native",
        precision="fp32",
        threads=1,
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_runs_on_a_small_set_of_its_form(recipe: Recipe, tmp_path: Path) -> None:
    """From the folder to the figures, with the dimension, metric and crop that it names."""
    place = tmp_path / "set"
    MAKERS[recipe.forms[0]](place)
    result = tmp_path / "result.json"
    wanted = Wanted(place=place, recipe=recipe, json_file=result)
    assert run_evaluation(_settings(recipe, tmp_path / "weights"), wanted) == 0
    value = json.loads(result.read_text())
    (row,) = value["rows"]
    assert value["set"]["form"] == recipe.forms[0]
    assert f"{recipe.dimension}-d fp32" in row["models"]
    assert row["name"] == recipe.title
    kind = "image_map10_found" if value["set"]["form"] in {"folders", "cifar100"} else "marked_p10"
    assert row["figures"][kind]["items"] > 0


def test_a_recipe_describes_crops_and_vectors_as_it_says(tmp_path: Path) -> None:
    """Un-normalized, L2, the middle 224 of 256; the embedder itself is the one that was loaded."""
    recipe = recipe_named("squeezenet-cifar100")
    settings = recipe_settings(recipe, _settings(recipe, tmp_path / "weights"))
    models = recipe_models(recipe)(settings, None)
    how = models.embedder.description
    assert how == models.description.embedder
    assert (how.metric, how.normalized, how.crop_rule) == ("l2", False, "center")
    rgb = np.random.default_rng(1).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    crop = cut(rgb, (0, 0, 256, 256), rule="center", size=224, margin=how.margin)
    assert np.array_equal(crop, rgb[16:240, 16:240])
    assert np.linalg.norm(models.embedder.embed(crop[None])) != pytest.approx(1.0)


def test_another_dimension_is_refused() -> None:
    """A recipe's figures are those of its model only."""
    recipe = recipe_named("resnet18-caltech101")
    settings = Settings(
        models="packaged",
        embedder="random:vit_tiny_patch16_224",
        runtime="native",
        precision="fp32",
        threads=1,
    )
    with pytest.raises(BoxseekError, match="needs 512-d"):
        redescribed(real_models(settings, None), recipe)


def test_an_unknown_recipe_names_those_there_are() -> None:
    """So that nobody has to look them up."""
    with pytest.raises(BoxseekError, match="seresnet50-voc2007"):
        recipe_named("resnet")
