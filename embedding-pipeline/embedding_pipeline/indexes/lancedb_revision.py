"""Which revision of a table is the newest, asked at every search."""

from __future__ import annotations

from pathlib import Path

import lancedb


class Revision:
    """The newest version number of a table, whoever wrote it.

    Lance has one file for each version in one folder, so while the files are the same ones the
    number is too. To list a few names takes 6 us; LanceDB, which reads the newest file in a
    thread of its own, takes 125, and milliseconds where other threads are busy.

    Args:
        table: the open table, which looks for newer data at every call.
        folder: where its versions' files lie; one that cannot be listed costs only time.
    """

    def __init__(self, table: lancedb.table.Table, folder: Path) -> None:
        self._table = table
        self._folder = folder
        self._seen: tuple[frozenset[str], int] = (frozenset(), -1)

    def __call__(self) -> int:
        """Its number."""
        names = self._names()
        seen, number = self._seen
        if not names or names != seen:
            # Listed before it is asked: what comes between differs from the list next time.
            number = int(self._table.version)
            self._seen = (names, number)
        return number

    def _names(self) -> frozenset[str]:
        try:
            return frozenset(path.name for path in self._folder.iterdir())
        except OSError:
            return frozenset()
