"""Work to be profiled: ``make profile`` runs it under py-spy, once for each kind.

``backfill`` indexes pictures as ``boxseek ingest`` does; ``serving`` answers searches by uploaded
pictures of four clients. Both with the packaged models.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_serving import fill, many_clients, opened
from measuring import pictures, say

from embedding_pipeline.bootstrap import limits_of
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions, ingest

CLIENTS = 4
ENTRIES = 5000


def main() -> None:
    """Do one kind of work for about as long as is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("backfill", "serving"))
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    wishes = {"runtime": "auto", "precision": "auto"}
    with (
        tempfile.TemporaryDirectory() as place,
        opened("", wishes, Path(place) / "data") as boxseek,
    ):
        done, started = 0, time.perf_counter()
        if options.kind == "serving":
            fill(boxseek, ENTRIES)
            started = time.perf_counter()
        while time.perf_counter() - started < options.seconds:
            if options.kind == "serving":
                done += len(pictures(16))
                many_clients(boxseek, pictures(16), CLIENTS)
                continue
            folder = Path(place) / f"pictures-{done}"
            folder.mkdir()
            for number, data in enumerate(pictures(64)):
                (folder / f"{number:03d}.jpg").write_bytes(data + f"{done} {number}".encode())
            source = FolderSource(folder, limits=limits_of(boxseek.settings))
            ingest(source, IngestOptions(), ingest_room(boxseek))
            done += 64
        say(f"{options.kind}: {done} pictures in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
