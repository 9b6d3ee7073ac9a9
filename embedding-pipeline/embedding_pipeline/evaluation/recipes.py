"""Measurements of earlier systems of this kind, ready to be repeated on the same data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.bootstrap import ModelSource, real_models
from embedding_pipeline.domain.description import EmbedderDescription, ModelDescription
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.comparing import PLAIN_MODELS, PLAIN_SEARCH, overridden
from embedding_pipeline.evaluation.labelled import Form
from embedding_pipeline.evaluation.measuring import Options
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.ports.models import Crops, Embedder
from embedding_pipeline.settings import Settings

RANDOM = "random:"
_MIDDLE = -(1 - 224 / 256) / 2
"""Margin that takes the middle 224 of 256 parts: resized to 256, then the centre of 224 cut out."""

_EUCLIDEAN: Mapping[str, Any] = {"metric": "l2", "normalized": False}
_CENTRE: Mapping[str, Any] = {"crop_rule": "center", "margin": _MIDDLE}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One measurement.

    Args:
        name: as the command line takes it.
        title: model and data.
        data: what the folder must hold, and where it comes from.
        forms: forms of the set that fit; the first one is told.
        embedder: setting.
        dimension: of its vectors.
        published: what others report, or "".
        changes: fields of the embedder's description that settings do not reach.
        options: how much is measured.
    """

    name: str
    title: str
    data: str
    forms: tuple[Form, ...]
    embedder: str
    dimension: int
    published: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=Options)


_IMAGENET100 = (
    "a folder per class, 100 classes of ImageNet with 11 pictures each; the first 10 by name are "
    "indexed, the last one asks"
)

RECIPES = (
    Recipe(
        "resnet18-caltech101",
        "ResNet-18, 512-d, on Caltech-101",
        "101_ObjectCategories of Caltech-101: a folder per class",
        ("folders",),
        "resnet18.tv_in1k",
        512,
        changes=_CENTRE,
    ),
    Recipe(
        "seresnet50-voc2007",
        "SE-ResNet-50, 2048-d, on VOC2007",
        "VOCdevkit/VOC2007: Annotations/ and JPEGImages/",
        ("voc",),
        "seresnet50.ra2_in1k",
        2048,
    ),
    Recipe(
        "squeezenet-cifar100",
        "SqueezeNet 1.1, 1000-d class scores, un-normalized, L2, resize 256 and centre 224, on "
        "CIFAR-100",
        "cifar-100-binary (test.bin, fine_label_names.txt), or a folder per class",
        ("cifar100", "folders"),
        "torchvision:squeezenet1_1",
        1000,
        changes={**_EUCLIDEAN, **_CENTRE},
        options=Options(gallery_a_class=0, queries_a_class=10),
    ),
    Recipe(
        "resnet50-imagenet100",
        "ResNet-50, 2048-d, un-normalized, L2, on 100 classes of ImageNet",
        _IMAGENET100,
        ("folders", "csv"),
        "resnet50.tv_in1k",
        2048,
        "mAP@10 of the found 0.886",
        changes={**_EUCLIDEAN, **_CENTRE},
    ),
    Recipe(
        "resnet50-imagenet100-normalized",
        "ResNet-50, 2048-d, normalized, on 100 classes of ImageNet",
        _IMAGENET100,
        ("folders", "csv"),
        "resnet50.tv_in1k",
        2048,
        "mAP@10 of the found 0.917",
        changes=_CENTRE,
    ),
    Recipe(
        "vit-coco",
        "ViT-B/16, 768-d, on COCO",
        "annotations/instances_val2017.json and val2017/ of COCO",
        ("coco", "yolo"),
        "vit_base_patch16_224",
        768,
    ),
)


def recipe_named(name: str) -> Recipe:
    """The recipe of this name; BoxseekError with all names for any other."""
    found = next((recipe for recipe in RECIPES if recipe.name == name), None)
    if found is None:
        names = ", ".join(recipe.name for recipe in RECIPES)
        raise BoxseekError(f"there is no recipe {name!r}; there are {names}")
    return found


def recipe_settings(recipe: Recipe, settings: Settings) -> Settings:
    """The settings of a recipe on top of those in force: its embedder, in fp32, looks alone.

    Random weights that somebody asks for (``random:NAME``, for tests only) stay random; the
    notice of the measurement says so.
    """
    chosen = settings.embedder if settings.embedder.startswith(RANDOM) else recipe.embedder
    plain = {"embedder": chosen, "precision": "fp32", "crop_rule": "letterbox"}
    return overridden(settings, {**PLAIN_SEARCH, **PLAIN_MODELS, **plain})


def recipe_models(recipe: Recipe) -> ModelSource:
    """Loads the models of a recipe; its description says what settings do not reach."""

    def load(settings: Settings, description: ModelDescription | None) -> LoadedModels:
        return redescribed(real_models(settings, description), recipe)

    return load


def redescribed(loaded: LoadedModels, recipe: Recipe) -> LoadedModels:
    """Models whose crops and vectors are treated as the recipe says.

    Raises:
        BoxseekError: the embedder has another dimension than the recipe's.
    """
    how = replace(loaded.description.embedder, **recipe.changes)
    if how.dimension != recipe.dimension:
        raise BoxseekError(
            f"recipe {recipe.name} needs {recipe.dimension}-d vectors, {how.name} gives "
            f"{how.dimension}"
        )
    return replace(
        loaded,
        embedder=_Redescribed(loaded.embedder, how),
        description=replace(loaded.description, embedder=how),
    )


class _Redescribed:
    """An embedder with another description: the network is the same, crop and norm are not."""

    def __init__(self, inner: Embedder, description: EmbedderDescription) -> None:
        self._inner = inner
        self._description = description

    @property
    def description(self) -> EmbedderDescription:
        """See Embedder."""
        return self._description

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """See Embedder."""
        return self._inner.embed(crops)
