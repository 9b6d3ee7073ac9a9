"""Answers that tell how it is going: models, counts, runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from embedding_pipeline.api.models import Answer


class ModelStatus(Answer):
    """One model as the index's description names it."""

    name: str
    origin: str = Field(description="Where its weights came from: local, hub, packaged or random.")
    sha256: str
    precision: str
    input_size: int


class ModelsStatus(Answer):
    """Both models, or why there are none yet."""

    state: Literal["loading", "ready", "failed"]
    detector: ModelStatus | None
    embedder: ModelStatus | None
    dimension: int | None
    metric: Literal["cosine", "l2"] | None
    notice: str | None = Field(description="What a person should know, e.g. packaged stand-ins.")
    error: str | None


class Counts(Answer):
    """How much is in the index."""

    images: int
    objects: int


class Backends(Answer):
    """Where entries and originals lie."""

    index: str
    store: str


class Indexing(Answer):
    """Whether pictures are being indexed now, by this process or another on its data folder."""

    state: Literal["idle", "running"]
    done: int
    total: int
    kind: Literal["ingest", "rebuild", "reindex", "import"] | None = Field(
        None, description="Which run it is; null when none is running."
    )
    what: str | None = Field(
        None, description="What it works on; null unless another process does."
    )
    images_per_s: float = Field(0.0, description="Pictures a second since the work began.")
    left_s: float | None = Field(
        None, description="Estimated seconds to the end; null while nothing is known."
    )


class StatusAnswer(Answer):
    """Everything about the service at a glance."""

    version: str
    models: ModelsStatus
    counts: Counts | None = Field(description="Null while the index cannot be asked.")
    backends: Backends
    indexing: Indexing
    keys_required: bool = Field(description="API keys exist, so requests need one.")
    urls_allowed: bool = Field(description="Searches by address are allowed.")


class HealthAnswer(Answer):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(Answer):
    """A search would work now."""

    status: Literal["ready"] = "ready"
