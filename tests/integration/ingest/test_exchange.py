"""The index out to a Parquet file and back in, on both backends and from one to the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedding_pipeline.bootstrap import Boxseek, build_catalog
from embedding_pipeline.cli.exchanging import run_export, run_import
from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.errors import DescriptionMismatch, IndexNotFound, IngestError
from embedding_pipeline.ingest.library import Upload
from embedding_pipeline.settings import Settings
from support.api_app import png, settings_of
from support.indexes_elasticsearch import elasticsearch_settings
from support.reindex_models import NEW, WANTED, sized_models

PICTURES = 12
METADATA = {"sku": "a-1", "price": 2.5, "tags": ["x", "y"], "deep": {"ok": True, "no": None}}


@pytest.fixture
def source(tmp_path: Path) -> Settings:
    """An embedded index of some pictures with collections and metadata."""
    settings = settings_of(tmp_path / "source")
    with Boxseek.open(settings, models=sized_models) as boxseek:
        boxseek.wait_ready(60)
        uploads = [Upload(f"{n}.png", png(n), "pets" if n % 2 else None) for n in range(PICTURES)]
        uploads.append(Upload("0.png", png(0), "more", METADATA))
        assert {one.status for one in boxseek.library.add(uploads)} == {"indexed", "duplicate"}
    return settings


@pytest.fixture
def exported(source: Settings, tmp_path: Path) -> Path:
    """Its export."""
    assert run_export(source, tmp_path / "out.parquet") == 0
    return tmp_path / "out.parquet"


@pytest.fixture(
    params=[
        pytest.param("lancedb"),
        pytest.param("elasticsearch", marks=pytest.mark.elasticsearch),
    ]
)
def target(request: pytest.FixtureRequest, source: Settings, tmp_path: Path) -> Iterator[Settings]:
    """An empty index beside a copy of the originals, on each backend."""
    with ExitStack() as stack:
        folder = tmp_path / "target"
        made = settings_of(folder)
        if request.param == "elasticsearch":
            servers = request.getfixturevalue("test_servers")
            made = stack.enter_context(
                elasticsearch_settings(servers.elasticsearch_url, data_dir=folder / "data")
            )
        shutil.copytree(source.data_dir, made.data_dir, ignore=shutil.ignore_patterns("index"))
        yield made


def contents(settings: Settings) -> list[PictureEntries]:
    """Everything that the active version holds, in key order."""
    with closing(build_catalog(settings)) as catalog, closing(catalog.open()) as index:
        keys = [entry.image_key for entry in index.pictures(limit=10_000)]
        return [one for key in keys if (one := index.picture(key)) is not None]


def altered(path: Path, change: Callable[[dict[str, Any]], None], name: str = "bad") -> Path:
    """The file with its columns, as Python values, changed."""
    table = pq.read_table(path)
    columns = table.to_pydict()
    change(columns)
    out = path.with_name(f"{name}.parquet")
    pq.write_table(pa.Table.from_pydict(columns, schema=table.schema), out)
    return out


def test_what_goes_out_comes_in_just_so(source: Settings, target: Settings, exported: Path) -> None:
    """Ids, boxes, scores, times, collections, metadata and vectors; twice changes nothing."""
    assert run_import(target, exported) == 0
    before, after = contents(source), contents(target)
    assert len(after) == PICTURES
    for one, other in zip(before, after, strict=True):
        assert one.entries == other.entries
        np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-5)
    assert any(dict(one.entries[0].metadata) == METADATA for one in after)
    with closing(build_catalog(source)) as a, closing(build_catalog(target)) as b:
        first, second = a.active(), b.active()
        assert first is not None
        assert second is not None
        assert first.description == second.description


def test_a_second_import_writes_nothing(
    target: Settings, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there just so is left alone, so a broken-off import goes on."""
    run_import(target, exported)
    with closing(build_catalog(target)) as catalog, closing(catalog.open()) as index:
        index.delete([index.pictures(limit=1)[0].image_key])
        index.make_searchable()
    capsys.readouterr()
    assert run_import(target, exported) == 0
    assert f"1 pictures written, {PICTURES - 1} were there" in capsys.readouterr().out


def test_pictures_without_an_original_are_refused_unless_told(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A search would show nothing for them; the advice says how to take them all the same."""
    empty = settings_of(tmp_path / "empty")
    assert run_import(empty, exported) == 1
    told = capsys.readouterr().out
    assert f"{PICTURES} without original" in told
    assert "--without-originals" in told
    assert contents(empty) == []
    assert run_import(empty, exported, without_originals=True) == 0
    assert len(contents(empty)) == PICTURES


def test_a_file_of_other_models_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are named, and what to do."""
    monkeypatch.setenv(WANTED, str(NEW))
    other = settings_of(tmp_path / "other")
    with Boxseek.open(other, models=sized_models) as boxseek:
        boxseek.wait_ready(60)
    with pytest.raises(DescriptionMismatch, match="boxseek reindex") as caught:
        run_import(other, exported)
    assert caught.value.details["differing"] == ["embedder.dimension"]


def _nan(columns: dict[str, Any]) -> None:
    columns["vector"][1] = [float("nan"), *columns["vector"][1][1:]]


def _long(columns: dict[str, Any]) -> None:
    columns["vector"][1] = [2 * value for value in columns["vector"][1]]


def _outside(columns: dict[str, Any]) -> None:
    columns["x2"][1] = 10_000.0


def _inverted(columns: dict[str, Any]) -> None:
    columns["x1"][1], columns["x2"][1] = columns["x2"][1], columns["x1"][1]


def _misnamed(columns: dict[str, Any]) -> None:
    columns["object_id"][1] = "../../etc/passwd"


def _unsure(columns: dict[str, Any]) -> None:
    columns["confidence"][1] = 1.5


def _no_json(columns: dict[str, Any]) -> None:
    columns["metadata"][1] = "{"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_nan, "not finite"),
        (_long, "length is 2.0000"),
        (_outside, "none of a picture"),
        (_inverted, "none of a picture"),
        (_misnamed, "should end in -001"),
        (_unsure, "confidence is 1.5"),
        (_no_json, "row 1"),
    ],
)
def test_bad_rows_are_named_and_the_others_taken(
    change: Callable[[dict[str, Any]], None],
    reason: str,
    exported: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A picture is taken whole or not at all."""
    empty = settings_of(tmp_path / "empty")
    assert run_import(empty, altered(exported, change), without_originals=True) == 1
    told = capsys.readouterr().out
    assert "row 1 " in told
    assert reason in told
    assert len(contents(empty)) == PICTURES - 1


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    """Text, any other Parquet file, and a file that is cut off."""
    text = tmp_path / "notes.parquet"
    text.write_text("no Parquet")
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    for path, reason in ((text, "cannot be read"), (foreign, "no export of Boxseek")):
        with pytest.raises(IngestError, match=reason):
            run_import(settings_of(tmp_path), path)


def test_an_export_that_fails_leaves_no_file(source: Settings, tmp_path: Path) -> None:
    """Neither the half nor, of course, a whole one; nor is an earlier export harmed."""
    with pytest.raises(IngestError, match="cannot be written"):
        run_export(source, tmp_path / "no-such-folder" / "out.parquet")
    with pytest.raises(IndexNotFound):
        run_export(settings_of(tmp_path / "nothing"), tmp_path / "out.parquet")
    assert not list(tmp_path.glob("*.parquet*"))
