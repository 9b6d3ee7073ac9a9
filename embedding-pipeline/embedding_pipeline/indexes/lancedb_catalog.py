"""Versions of the embedded index: one LanceDB table each, and a state file beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lancedb

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import IndexConflict, IndexNotFound
from embedding_pipeline.indexes.lancedb_errors import lancedb_errors
from embedding_pipeline.indexes.lancedb_index import LanceDbIndex
from embedding_pipeline.indexes.lancedb_memory import USUAL, Holding
from embedding_pipeline.indexes.lancedb_rows import table_schema
from embedding_pipeline.indexes.lancedb_state import TABLES, CatalogState, StateFile, StoredVersion
from embedding_pipeline.ports.index import IndexVersion


class LanceDbCatalog:
    """IndexCatalog in a folder; many threads and processes may use the folder at once.

    Args:
        folder: where everything lies; made by the first create.
        holding: when a table is held in memory.
    """

    def __init__(self, folder: Path, *, holding: Holding = USUAL) -> None:
        self._folder = folder
        self._holding = holding
        self._state = StateFile(folder)
        self._connection: lancedb.DBConnection | None = None

    def versions(self) -> list[IndexVersion]:
        """See IndexCatalog."""
        state = self._read()
        return [_version(state, name) for name in sorted(state.versions)]

    def active(self) -> IndexVersion | None:
        """See IndexCatalog."""
        state = self._read()
        return None if state.active is None else _version(state, state.active)

    def create(self, description: ModelDescription) -> IndexVersion:
        """See IndexCatalog."""
        with lancedb_errors(str(self._folder)), self._state.locked():
            state = self._state.read()
            self._drop_orphans(state)
            name = f"v{state.next_number:06d}"
            schema = table_schema(description.embedder.dimension)
            self._connected().create_table(name, schema=schema)
            stored = StoredVersion(description, datetime.now(UTC))
            state = replace(
                state,
                next_number=state.next_number + 1,
                versions={**state.versions, name: stored},
            )
            self._state.write(state)
        return _version(state, name)

    def activate(self, name: str) -> None:
        """See IndexCatalog."""
        with lancedb_errors(str(self._folder)), self._state.locked():
            state = self._state.read()
            _require(state, name)
            if state.active != name:
                self._state.write(state.with_active(name))

    def rollback(self) -> IndexVersion:
        """See IndexCatalog."""
        with lancedb_errors(str(self._folder)), self._state.locked():
            state = self._state.read()
            if state.previous is None:
                raise IndexNotFound("There is no previous version of the index to go back to.")
            state = state.with_active(state.previous)
            self._state.write(state)
            return _version(state, str(state.active))

    def drop(self, name: str) -> None:
        """See IndexCatalog."""
        with lancedb_errors(str(self._folder)), self._state.locked():
            state = self._state.read()
            _require(state, name)
            if name == state.active:
                raise IndexConflict(
                    f"Version {name} of the index is active; activate another one first.",
                    version=name,
                )
            state = state.without(name)
            self._state.write(state)
            self._drop_orphans(state)

    def open(self, name: str | None = None) -> LanceDbIndex:
        """See IndexCatalog."""
        state = self._read()
        wanted = name or state.active
        if wanted is None:
            raise IndexNotFound(
                "There is no index yet; add pictures first (`boxseek ingest FOLDER`)."
            )
        _require(state, wanted)
        with lancedb_errors(str(self._folder)):
            table = self._connected().open_table(wanted)
        return LanceDbIndex(table, _version(state, wanted), self._folder, self._holding)

    def close(self) -> None:
        """See IndexCatalog."""
        self._connection = None

    def _read(self) -> CatalogState:
        with lancedb_errors(str(self._folder)):
            return self._state.read()

    def _connected(self) -> lancedb.DBConnection:
        if self._connection is None:
            # An interval of zero looks for newer data at every call, so that what another
            # process wrote is seen at once.
            self._connection = lancedb.connect(
                self._folder / TABLES, read_consistency_interval=timedelta(0)
            )
        return self._connection

    def _drop_orphans(self, state: CatalogState) -> None:
        """Remove tables that a crash left between table and state, or that were dropped."""
        connection = self._connected()
        for name in connection.list_tables().tables:
            if name not in state.versions:
                connection.drop_table(name)


def _require(state: CatalogState, name: str) -> None:
    if name not in state.versions:
        raise IndexNotFound(
            f"The index has no version {name!r}; there are {sorted(state.versions)}.", version=name
        )


def _version(state: CatalogState, name: str) -> IndexVersion:
    stored = state.versions[name]
    return IndexVersion(
        name=name,
        description=stored.description,
        active=name == state.active,
        previous=name == state.previous,
        created_at=stored.created_at,
        settings={"backend": "lancedb"},
    )
