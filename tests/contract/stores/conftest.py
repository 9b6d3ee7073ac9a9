"""Every store that must pass the suite of the store port."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from minio_proxy.ports import ObjectStore
from minio_proxy.stores.folder import FolderStore
from minio_proxy.stores.s3 import S3Store
from support.servers import TestServers
from support.stores_s3 import random_bucket, remove_bucket, s3_settings

OpenStore: TypeAlias = Callable[[], ObjectStore]


@pytest.fixture(scope="session")
def s3_bucket(s3_server: TestServers) -> Iterator[str]:
    """A bucket of this run, made by the first store that writes; removed afterwards."""
    bucket = random_bucket()
    yield bucket
    remove_bucket(s3_server, bucket)


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Open a store; every call gives another instance over the same objects."""
    make: OpenStore
    if request.param == "folder":
        make = lambda: FolderStore(tmp_path / "store")  # noqa: E731 - one of two alternatives
    else:
        settings = s3_settings(
            request.getfixturevalue("s3_server"),
            request.getfixturevalue("s3_bucket"),
            s3_prefix=secrets.token_hex(6),
        )
        make = lambda: S3Store(settings)  # noqa: E731 - one of two alternatives
    with ExitStack() as stack:

        def opened() -> ObjectStore:
            store = make()
            stack.callback(store.close)
            return store

        yield opened


@pytest.fixture
def store(open_store: OpenStore) -> ObjectStore:
    """An empty store."""
    return open_store()
