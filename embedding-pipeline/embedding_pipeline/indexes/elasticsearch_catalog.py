"""Versions of the index in Elasticsearch: numbered indices behind an alias.

``boxseek`` is the alias of the active version, ``boxseek-previous`` that of the one before,
``boxseek-000001`` an index. Each index also has an alias of its own with a random part:
writes require it, so that a bulk never makes an index that was deleted, nor reaches a later
one of the same name.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import (
    DescriptionMismatch,
    IndexConflict,
    IndexError_,
    IndexFormatMismatch,
    IndexNotFound,
)
from embedding_pipeline.indexes.elasticsearch_documents import properties, similarity_of
from embedding_pipeline.indexes.elasticsearch_errors import elasticsearch_errors
from embedding_pipeline.indexes.elasticsearch_index import ElasticsearchIndex
from embedding_pipeline.ports.index import IndexVersion
from embedding_pipeline.settings import Settings

FORMAT = 1
_ATTEMPTS = 20
_READ_RETRIES = 2
_REFRESH_OFF = "-1"
_REMEMBER_DELETED = "10m"
"""Longer than a write can be on its way: what is older than a delete is refused that long."""


class ElasticsearchCatalog:
    """IndexCatalog in a cluster.

    Args:
        settings: address, credentials, prefix and what new versions are made with.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._alias = settings.elasticsearch_index
        self._place = f"{settings.elasticsearch_url}/{self._alias}"
        self._client = _client(settings)
        self._names = re.compile(re.escape(self._alias) + r"-\d{6}")

    def versions(self) -> list[IndexVersion]:
        """See IndexCatalog."""
        return [self._version(name, found) for name, found in sorted(self._indices().items())]

    def active(self) -> IndexVersion | None:
        """See IndexCatalog."""
        return next((version for version in self.versions() if version.active), None)

    def create(self, description: ModelDescription) -> IndexVersion:
        """See IndexCatalog."""
        for _ in range(_ATTEMPTS):
            numbers = [int(name[-6:]) for name in self._indices()]
            name = f"{self._alias}-{max(numbers, default=0) + 1:06d}"
            try:
                self._create(name, description)
            except IndexConflict:
                continue  # another process took the number
            return self._version(name, self._indices()[name])
        raise IndexConflict(f"Other processes keep making versions of {self._alias}; try again.")

    def activate(self, name: str) -> None:
        """See IndexCatalog."""
        versions = self._by_name()
        _require(versions, name)
        active = next((version for version in versions.values() if version.active), None)
        if active is not None and active.name == name:
            return
        self._turn_refresh_on(name)
        actions = self._alias_moved(self._alias, name)
        if active is not None:
            actions += self._alias_moved(self._previous_alias, active.name)
        with self._errors():
            self._client.indices.update_aliases(actions=actions)

    def rollback(self) -> IndexVersion:
        """See IndexCatalog."""
        previous = next((version for version in self.versions() if version.previous), None)
        if previous is None:
            raise IndexNotFound("There is no previous version of the index to go back to.")
        self.activate(previous.name)
        return self._by_name()[previous.name]

    def drop(self, name: str) -> None:
        """See IndexCatalog."""
        versions = self._by_name()
        _require(versions, name)
        if versions[name].active:
            raise IndexConflict(
                f"Version {name} of the index is active; activate another one first.", version=name
            )
        with self._errors():
            self._client.indices.delete(index=name)

    def open(self, name: str | None = None) -> ElasticsearchIndex:
        """See IndexCatalog."""
        versions = self._by_name()
        if name is None:
            name = next((version.name for version in versions.values() if version.active), None)
        if name is None:
            raise self._no_active(versions)
        _require(versions, name)
        if versions[name].active:
            self._turn_refresh_on(name)
        return ElasticsearchIndex(self._client, versions[name], self._settings, self._place)

    def close(self) -> None:
        """See IndexCatalog."""
        self._client.close()

    @property
    def _previous_alias(self) -> str:
        return f"{self._alias}-previous"

    def _errors(self) -> AbstractContextManager[None]:
        return elasticsearch_errors(self._place)

    def _create(self, name: str, description: ModelDescription) -> None:
        settings = self._settings
        own_alias = f"{name}-{secrets.token_hex(4)}"
        meta = {
            "format": FORMAT,
            "description": description.to_json(),
            "created_at": datetime.now(UTC).isoformat(),
            "alias": own_alias,
            "index_type": settings.elasticsearch_index_type,
        }
        with self._errors():
            self._client.indices.create(
                index=name,
                aliases={own_alias: {}},
                mappings={
                    "dynamic": "strict",
                    "_meta": {"boxseek": meta},
                    "_routing": {"required": True},
                    "properties": properties(
                        description.embedder,
                        settings.elasticsearch_index_type,
                        m=settings.elasticsearch_m,
                        ef_construction=settings.elasticsearch_ef_construction,
                    ),
                },
                settings={
                    "number_of_shards": settings.elasticsearch_shards,
                    "number_of_replicas": settings.elasticsearch_replicas,
                    "refresh_interval": _REFRESH_OFF,
                    "gc_deletes": _REMEMBER_DELETED,
                },
            )

    def _indices(self) -> dict[str, Mapping[str, Any]]:
        with self._errors():
            answer = self._client.indices.get(index=f"{self._alias}-*", allow_no_indices=True)
        return {name: answer[name] for name in answer if self._names.fullmatch(name)}

    def _by_name(self) -> dict[str, IndexVersion]:
        return {version.name: version for version in self.versions()}

    def _version(self, name: str, found: Mapping[str, Any]) -> IndexVersion:
        meta = found["mappings"].get("_meta", {}).get("boxseek", {})
        if meta.get("format") != FORMAT:
            raise IndexFormatMismatch(
                f"The index {name} at {self._place} has format {meta.get('format')!r}, this "
                f"Boxseek reads {FORMAT}; rebuild the index from the originals.",
                expected=FORMAT,
                actual=meta.get("format"),
            )
        description = ModelDescription.from_json(meta["description"])
        self._check_mapping(name, description, found["mappings"]["properties"]["features"])
        index_settings = found["settings"]["index"]
        return IndexVersion(
            name=name,
            description=description,
            active=self._alias in found["aliases"],
            previous=self._previous_alias in found["aliases"],
            created_at=datetime.fromisoformat(meta["created_at"]),
            settings={
                "backend": "elasticsearch",
                "alias": meta["alias"],
                "index_type": meta["index_type"],
                "shards": int(index_settings["number_of_shards"]),
            },
        )

    def _check_mapping(
        self, name: str, description: ModelDescription, features: Mapping[str, Any]
    ) -> None:
        embedder = description.embedder
        expected = (embedder.dimension, similarity_of(embedder))
        actual = (features.get("dims"), features.get("similarity"))
        if actual != expected:
            raise DescriptionMismatch(
                f"The mapping of {name} holds vectors {actual}, its description says {expected} "
                f"({description.summary()}); rebuild the index from the originals.",
                expected=list(expected),
                actual=list(actual),
                fields=["embedder.dimension", "embedder.metric"],
            )

    def _turn_refresh_on(self, name: str) -> None:
        """Make writes visible by themselves, also when a crash left that off."""
        wanted = f"{round(self._settings.elasticsearch_refresh_s * 1000)}ms"
        with self._errors():
            found = self._client.indices.get_settings(index=name)[name]["settings"]["index"]
            if found.get("refresh_interval") != wanted:
                self._client.indices.put_settings(
                    index=name, settings={"index": {"refresh_interval": wanted}}
                )

    def _alias_moved(self, alias: str, name: str) -> list[dict[str, Any]]:
        everywhere = {"index": f"{self._alias}-*", "alias": alias, "must_exist": False}
        return [{"remove": everywhere}, {"add": {"index": name, "alias": alias}}]

    def _no_active(self, versions: Mapping[str, IndexVersion]) -> IndexError_:
        if not versions:
            return IndexNotFound(
                "There is no index yet; add pictures first (`boxseek ingest FOLDER`)."
            )
        return IndexNotFound(
            f"No version of the index is active: the alias {self._alias} is missing; there are "
            f"{sorted(versions)}, activate one (`boxseek index swap NAME`).",
            alias=self._alias,
        )


def _client(settings: Settings) -> Elasticsearch:
    options: dict[str, Any] = {
        "request_timeout": settings.elasticsearch_timeout_s,
        "max_retries": _READ_RETRIES,
        "retry_on_status": (429, 502, 503, 504),
        "retry_on_timeout": False,
    }
    if key := settings.elasticsearch_api_key.get_secret_value():
        options["api_key"] = key
    elif settings.elasticsearch_username:
        password = settings.elasticsearch_password.get_secret_value()
        # The client's own basic_auth stops at a letter that is not ASCII.
        user = f"{settings.elasticsearch_username}:{password}".encode()
        options["headers"] = {"authorization": f"Basic {base64.b64encode(user).decode()}"}
    if settings.elasticsearch_ca_file:
        options["ca_certs"] = settings.elasticsearch_ca_file
    urls = [url.strip() for url in settings.elasticsearch_url.split(",") if url.strip()]
    return Elasticsearch(urls, **options)


def _require(versions: Mapping[str, IndexVersion], name: str) -> None:
    if name not in versions:
        raise IndexNotFound(
            f"The index has no version {name!r}; there are {sorted(versions)}.", version=name
        )
