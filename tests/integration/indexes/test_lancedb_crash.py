"""The embedded index when its process is killed, and after many small writes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedding_pipeline.indexes import lancedb_tidying
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.ports.index import IndexCounts
from support.indexes_samples import description, fill, key, picture

WRITER = """
import sys
from pathlib import Path
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from support.indexes_samples import picture
index = LanceDbCatalog(Path(sys.argv[1])).open()
for step in range(1_000_000):
    labels = ["even"] * 3 if step % 2 == 0 else ["odd"] * 5
    index.put([picture(i, labels) for i in range(20)] + [picture(f"new {step}")])
    print(step, flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_in_mid_put_leaves_whole_pictures(tmp_path: Path, seed: int) -> None:
    """After kill -9 the index opens, acknowledged pictures are there, each wholly old or new."""
    catalog = LanceDbCatalog(tmp_path / "index")
    catalog.activate(catalog.create(description()).name)
    paths = [str(Path(path).absolute()) for path in sys.path if path]
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "index")],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join([str(Path(__file__).parents[2]), *paths])},
    )
    assert process.stdout is not None
    with process:
        for _ in range(1 + seed):
            assert process.stdout.readline().strip().isdigit()
        time.sleep(0.013 * seed)
        process.send_signal(signal.SIGKILL)
        acknowledged = seed + len(process.stdout.read().splitlines())
    index = catalog.open()
    for number in range(20):
        read = index.picture(key(number))
        assert read is not None
        assert [entry.label for entry in read.entries[1:]] in (["even"] * 3, ["odd"] * 5)
    assert all(index.picture(key(f"new {step}")) for step in range(acknowledged + 1))
    fill(index, [picture(0, ["after"])])
    index.optimize()
    assert index.label_counts()["after"] == 1
    index.close()


def test_many_small_writes_stay_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tidying in the background merges single writes while they and searches go on."""
    monkeypatch.setattr(lancedb_tidying, "COMMITS_BEFORE_TIDYING", 8)
    catalog = LanceDbCatalog(tmp_path / "index")
    catalog.activate(catalog.create(description()).name)
    index = catalog.open()
    for number in range(60):
        fill(index, [picture(number)])
        assert index.count() == IndexCounts(number + 1, 2 * (number + 1))
    index.close()
    fragments = index._table.stats()["fragment_stats"]["num_fragments"]
    assert fragments < 30
    assert {item.name for item in index._table.list_indices()} >= {"object_id_idx", "label_idx"}
