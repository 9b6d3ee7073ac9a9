"""Descriptions travel with the index, through older and newer programs."""

import pytest

from embedding_pipeline.domain.description import ModelDescription
from support.models_fakes import fake_description

DESCRIPTION = fake_description()


def test_reads_what_was_written_before_a_field_was_added() -> None:
    """Fields with a default may be missing, and mean what there was before."""
    value = DESCRIPTION.to_json()
    for part, name in (
        ("detector", "further_sizes"),
        ("detector", "tiles"),
        ("embedder", "runtime"),
    ):
        del value[part][name]
    assert ModelDescription.from_json(value) == DESCRIPTION


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_names_a_field_that_does_not_fit(change: str) -> None:
    """A field that must be there, or that this program does not know, is an error."""
    value = DESCRIPTION.to_json()
    if change == "missing":
        del value["embedder"]["dimension"]
    else:
        value["embedder"]["dimension_of_time"] = 4
    with pytest.raises(ValueError, match="dimension"):
        ModelDescription.from_json(value)
