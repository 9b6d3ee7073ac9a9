"""Whether the settings name the models that an index was made with; loads nothing."""

from __future__ import annotations

from pathlib import Path

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import DescriptionMismatch
from embedding_pipeline.settings import Settings


def check_names(settings: Settings, description: ModelDescription) -> None:
    """Refuse settings that name other models than those that made the index.

    Raises:
        DescriptionMismatch: both are named, and what to do.
    """
    named = {"detector": settings.detector, "embedder": settings.embedder}
    made_by = {"detector": description.detector.name, "embedder": description.embedder.name}
    for role, wanted in named.items():
        if wanted and made_by[role] not in {wanted, Path(wanted).name, Path(wanted).stem}:
            raise DescriptionMismatch(
                f"The index was made with the {role} {made_by[role]}, but "
                f"BOXSEEK_{role.upper()} names {wanted}. Leave the setting out to use the index "
                "as it is, run `boxseek reindex` to make it anew with what the settings name "
                "(the old one serves meanwhile), or ingest into another one (BOXSEEK_DATA_DIR, "
                "BOXSEEK_ELASTICSEARCH_INDEX).",
                expected=made_by[role],
                actual=wanted,
            )
