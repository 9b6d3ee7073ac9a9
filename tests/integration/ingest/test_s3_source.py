"""A bucket on a real S3 server, brought in with whatever keys it has."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from embedding_pipeline.cli.ingesting import Manner, reach_of, run_ingest
from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.source_items import Source, path_bytes
from embedding_pipeline.ingest.sources import open_source
from embedding_pipeline.settings import Settings
from minio_proxy.errors import (
    InvalidKey,
    ObjectNotFound,
    SettingsError,
    StoreDenied,
    StoreUnavailable,
)
from minio_proxy.stores.s3_source import S3Source
from support.ingest_fake_boxseek import logging_models
from support.ingest_workshop import LIMITS, Workshop, jpeg, key_of
from support.servers import TestServers
from support.stores_s3 import random_bucket, raw_client, remove_bucket, s3_settings

pytestmark = pytest.mark.s3
KEYS = (
    "a b.jpg", "a+b.jpg", "a%2Fb.jpg", "a%20b.jpg", "a&b=c?d#e.jpg", "Ünïcode/日本 語.jpg",
    "quote'\"<>.jpg", "deep/er/still.jpg", "Z.jpg", "0.jpg", "tilde~!*().jpg", "😀.jpg",
)  # fmt: skip


@pytest.fixture
def bucket(s3_server: TestServers) -> Iterator[str]:
    """A bucket of someone else, removed afterwards."""
    name = random_bucket()
    raw_client(s3_server).make_bucket(name)
    yield name
    remove_bucket(s3_server, name)


def fill(server: TestServers, bucket: str, objects: dict[str, bytes]) -> None:
    """Put objects behind Boxseek's back."""
    client = raw_client(server)
    for key, data in objects.items():
        client.put_object(bucket, key, io.BytesIO(data), len(data))


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as stack:
        yield stack


def source_at(server: TestServers, text: str, stack: ExitStack, **more: str) -> Source:
    """The source as the command line opens it, with Boxseek's own originals elsewhere."""
    fields = s3_settings(server, "boxseek-own").model_dump() | more
    return open_source(
        text, limits=LIMITS, reach=reach_of(Settings(_env_file=None, **fields), stack)
    )


def test_odd_keys_are_listed_in_order_and_read(
    s3_server: TestServers, bucket: str, opened: ExitStack
) -> None:
    """Every key comes back as it was put, with its own bytes, in bytewise order."""
    objects = {key: jpeg(number) for number, key in enumerate(KEYS)}
    fill(s3_server, bucket, objects)
    source = source_at(s3_server, f"s3://{bucket}", opened)
    found = list(source.items())
    assert [item.path for item in found] == sorted(KEYS, key=path_bytes)
    for item in found:
        loaded = source.load(item)
        assert (loaded.data, loaded.version) == (objects[item.path], item.version)


def test_a_bucket_is_brought_in_and_kept_in_step(
    s3_server: TestServers, bucket: str, tmp_path: Path, opened: ExitStack
) -> None:
    """New, changed, removed and refused objects; what lies beside the prefix is not touched."""
    objects = {f"in/{key}": jpeg(number) for number, key in enumerate(KEYS)}
    fill(s3_server, bucket, objects | {"beside.jpg": jpeg(90), "in/notes.txt": b"text"})
    fill(s3_server, bucket, {"in/twice.jpg": jpeg(0)})
    source = source_at(s3_server, f"s3://{bucket}/in/", opened)
    workshop = Workshop(tmp_path / "data")
    report = workshop.ingest(source)
    assert report.states == {"indexed": len(KEYS), "duplicate": 1, "rejected": 1}
    assert workshop.stored() == sorted(key_of(data) for data in objects.values())
    assert workshop.ingest(source).worked == {}
    client = raw_client(s3_server)
    fill(s3_server, bucket, {"in/0.jpg": jpeg(50)})
    client.remove_object(bucket, "in/Z.jpg")
    again = workshop.ingest(source, IngestOptions(delete=True))
    assert (again.worked, again.deleted) == ({"indexed": 1}, 2)
    assert key_of(objects["in/Z.jpg"]) not in workshop.stored()
    assert key_of(objects["in/0.jpg"]) not in workshop.stored()
    assert key_of(jpeg(50)) in workshop.stored()
    assert client.stat_object(bucket, "in/0.jpg").size == len(jpeg(50))


def test_the_command_brings_a_bucket_in_beside_its_own(
    s3_server: TestServers, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Originals go to the store's own prefix of the same bucket, which is no source."""
    fill(s3_server, bucket, {"in/a b.jpg": jpeg(1), "in/ü.jpg": jpeg(2)})
    fields = s3_settings(s3_server, bucket, s3_prefix="boxseek", data_dir=tmp_path).model_dump()
    settings = Settings(_env_file=None, **fields)
    manner = Manner(as_json=True, nice=0)
    for source in (f"s3://{bucket}", f"s3://{bucket}/boxseek/originals"):
        with pytest.raises(IngestError, match="keeps originals"):
            run_ingest(settings, source, IngestOptions(), manner, logging_models)
    code = run_ingest(settings, f"s3://{bucket}/in/", IngestOptions(), manner, logging_models)
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, report["source"], report["states"]["indexed"]) == (0, f"s3://{bucket}/in/", 2)
    keys = [
        item.object_name or ""
        for item in raw_client(s3_server).list_objects(
            bucket, prefix="boxseek/originals/", recursive=True
        )
    ]
    assert sorted(key.rpartition("/")[2] for key in keys) == sorted(
        key_of(jpeg(number)) for number in (1, 2)
    )


def test_a_bucket_is_listed_in_pages(s3_server: TestServers, bucket: str) -> None:
    """More keys than one answer has, none twice and none missing."""
    names = [f"{number:05d}" for number in range(1100)]
    fill(s3_server, bucket, dict.fromkeys(names, b"x"))
    with closing(S3Source(s3_settings(s3_server, "unused-bucket"), bucket)) as found:
        assert [one.key for one in found.list("")] == names
        assert [one.key for one in found.list("0109")] == names[1090:]
        assert list(found.list("none")) == []


def test_what_cannot_be_reached_is_told(
    s3_server: TestServers, bucket: str, opened: ExitStack
) -> None:
    """A missing bucket, wrong keys, no endpoint, a name that is none, a missing object."""
    with pytest.raises(IngestError, match=f"There is no bucket {bucket}-not"):
        list(source_at(s3_server, f"s3://{bucket}-not/", opened).items())
    with pytest.raises(IngestError, match="BOXSEEK_S3_ACCESS_KEY"):
        list(source_at(s3_server, f"s3://{bucket}/", opened, s3_secret_key="wrong").items())
    with pytest.raises(SettingsError, match="needs BOXSEEK_S3_ENDPOINT"):
        source_at(s3_server, f"s3://{bucket}/", opened, s3_endpoint="")
    with pytest.raises(SettingsError, match="s3://'No_Bucket' is no bucket name"):
        source_at(s3_server, "s3://No_Bucket/", opened)
    with closing(S3Source(s3_settings(s3_server, "unused-bucket"), bucket)) as found:
        with pytest.raises(ObjectNotFound):
            found.open("missing.jpg")
        with pytest.raises(InvalidKey):
            found.open("a/../b.jpg")
    denied = s3_settings(s3_server, "unused-bucket", s3_secret_key="wrong")
    with closing(S3Source(denied, bucket)) as found, pytest.raises(StoreDenied):
        found.open("a.jpg")
    away = s3_settings(s3_server, "unused-bucket", s3_endpoint="http://127.0.0.1:1")
    with closing(S3Source(away, bucket)) as found, pytest.raises(StoreUnavailable):
        found.open("a.jpg")
