"""Where models of a name lie: file names in the local folder and addresses at the hubs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from embedding_pipeline.errors import UnknownModel
from embedding_pipeline.models.downloads import Remote
from embedding_pipeline.models.quiet import import_ultralytics
from embedding_pipeline.models.torchvision_embedder import is_torchvision, weights_url
from embedding_pipeline.models.weights import DETECTOR_SUFFIXES, EMBEDDER_SUFFIX
from embedding_pipeline.settings import Settings

DEFAULT_DETECTOR = "yolo11n"
DEFAULT_EMBEDDER = "vit_base_patch16_224"
RELEASE_URL = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
HUB_URL = "https://huggingface.co"
_SAFE_NAMES = {
    "pytorch_model.bin": "model.safetensors",
    "open_clip_pytorch_model.bin": "open_clip_model.safetensors",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model of this name may be.

    Args:
        name: full name, e.g. ``vit_base_patch16_224.augreg2_in21k_ft_in1k``.
        filenames: in the local folder, best first.
        remote: at its hub.
    """

    name: str
    filenames: tuple[str, ...]
    remote: Remote


def detector_source(name: str, settings: Settings) -> Source:
    """Where the Ultralytics detector of this name may be; the name need not be known."""
    if is_torchvision(name):
        return _torchvision_source(name)
    stem = Path(name).stem if Path(name).suffix in DETECTOR_SUFFIXES else name
    base = (settings.detector_release_url or RELEASE_URL).rstrip("/")
    filename = f"{stem}.pt"
    return Source(
        name=stem,
        filenames=tuple(f"{stem}{suffix}" for suffix in DETECTOR_SUFFIXES),
        remote=Remote(stem, f"{base}/{filename}", filename),
    )


def embedder_source(name: str, settings: Settings) -> Source:
    """Where timm's weights of this name may be.

    Raises:
        UnknownModel: timm does not know the name, or has no weights for it as safetensors.
    """
    if is_torchvision(name):
        return _torchvision_source(name)
    import timm  # noqa: PLC0415 - brings torch; names of detectors need neither

    try:
        known = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    except (RuntimeError, KeyError) as error:
        raise UnknownModel(f"timm knows no weights {name}: {error}", model=name) from error
    if known is None or not known.hf_hub_id:
        what = "has no weights for" if known is not None else "knows no model"
        raise UnknownModel(f"timm {what} {name}", model=name)
    wanted = known.hf_hub_filename or "model.safetensors"
    filename = _SAFE_NAMES.get(wanted, wanted)
    if not filename.endswith(EMBEDDER_SUFFIX):
        raise UnknownModel(f"timm's weights for {name} are no safetensors ({wanted})", model=name)
    repository, _, revision = known.hf_hub_id.partition("@")
    full = f"{known.architecture}.{known.tag}" if known.tag else str(known.architecture)
    base = (settings.hub_endpoint or os.environ.get("HF_ENDPOINT") or HUB_URL).rstrip("/")
    url = f"{base}/{repository}/resolve/{revision or 'main'}/{filename}"
    token = os.environ.get("HF_TOKEN", "")
    return Source(
        name=full,
        filenames=(f"{full}{EMBEDDER_SUFFIX}", f"{known.architecture}{EMBEDDER_SUFFIX}"),
        remote=Remote(full, url, f"{full}{EMBEDDER_SUFFIX}", token),
    )


def _torchvision_source(name: str) -> Source:
    """Where torchvision's weights may be: local under their own file name, or at PyTorch's."""
    url = weights_url(name)
    filename = url.rpartition("/")[2]
    return Source(name, (filename,), Remote(name, url, filename))


def check_detector_name(name: str, settings: Settings) -> None:
    """Raise UnknownModel if the Ultralytics release has no file for this name."""
    if is_torchvision(name):
        return  # looking for its address has found out already
    import_ultralytics(config_dir(settings))
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES  # noqa: PLC0415

    if f"{name}.pt" not in GITHUB_ASSETS_NAMES:
        raise UnknownModel(
            f"Ultralytics knows no detector {name}, and the models folder has no file of that name",
            model=name,
        )


def config_dir(settings: Settings) -> Path:
    """Where Ultralytics keeps its settings file."""
    return settings.data_dir / "cache" / "ultralytics"
