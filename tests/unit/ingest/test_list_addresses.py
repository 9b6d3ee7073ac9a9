"""Addresses in lists and tables: only where allowed, each fetched once."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedding_pipeline.errors import AddressRefused, AddressUnreachable
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.list_source import ListSource
from embedding_pipeline.ingest.source_items import SourceItem, SourceProblem
from embedding_pipeline.pipeline.fetch import PictureFetcher
from support.ingest_workshop import LIMITS, Workshop, jpeg

HOST = "http://pictures.test"


class Web:
    """Addresses in memory; counts what is fetched."""

    def __init__(self) -> None:
        self.pages = {f"{HOST}/{n}.jpg": jpeg(n) for n in range(3)}
        self.pages[f"{HOST}/page.html"] = b"<html>"
        self.fetched: list[str] = []

    def __call__(self, url: str) -> bytes:
        """As PictureFetcher."""
        self.fetched.append(url)
        if url not in self.pages:
            raise AddressUnreachable("The address answered 404.")
        return self.pages[url]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A table with two addresses, a file, a page and a missing one."""
    (tmp_path / "file.jpg").write_bytes(jpeg(9))
    names = [f"{HOST}/0.jpg", "HTTP://pictures.test/1.jpg", "file.jpg", f"{HOST}/page.html"]
    names.append(f"{HOST}/missing.jpg")
    path = tmp_path / "table.csv"
    path.write_text("url,sku\n" + "".join(f"{name},{n}\n" for n, name in enumerate(names)))
    return path


def test_addresses_are_fetched_once_with_their_columns(listed: Path, tmp_path: Path) -> None:
    """A second run fetches nothing; --checksum all again, --retry-failed what failed."""
    web = Web()
    web.pages["HTTP://pictures.test/1.jpg"] = jpeg(1)
    workshop = Workshop(tmp_path / "data")
    source = ListSource(listed, limits=LIMITS, fetch=web)
    report = workshop.ingest(source)
    assert report.states == {"indexed": 3, "rejected": 1, "failed": 1}
    skus = {one.entries[0].metadata["sku"] for one in workshop.index.held.values()}
    assert skus == {"0", "1", "2"}
    web.fetched.clear()
    workshop.ingest(source)
    assert web.fetched == []
    workshop.ingest(source, IngestOptions(retry_failed=True))
    assert web.fetched == [f"{HOST}/missing.jpg"]
    workshop.ingest(source, IngestOptions(checksum=True))
    assert len(web.fetched) == 5


def test_addresses_need_the_setting_and_are_tried_once_it_is_there(
    listed: Path, tmp_path: Path
) -> None:
    """Without it each is a failure that names it; nothing is fetched."""
    workshop = Workshop(tmp_path / "data")
    forbidden = ListSource(listed, limits=LIMITS)
    assert workshop.ingest(forbidden).states == {"indexed": 1, "failed": 4}
    failed = list(workshop.ledger(forbidden).with_states(("failed",)))
    assert all("BOXSEEK_ALLOW_URLS" in (row.reason or "") for row in failed)
    allowed = ListSource(listed, limits=LIMITS, fetch=Web())
    assert workshop.ingest(allowed).states == {"indexed": 2, "rejected": 1, "failed": 2}


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/a.jpg", "http://[::1]/a.jpg", "http://169.254.169.254/latest", "http://me@x.test/"],
    ids=["loopback", "loopback IPv6", "cloud metadata", "credentials"],
)  # fmt: skip
def test_private_addresses_are_refused(address: str, tmp_path: Path) -> None:
    """By the fetcher of searches; asking again would not help."""
    (tmp_path / "list.txt").write_text(address)
    source = ListSource(tmp_path / "list.txt", limits=LIMITS, fetch=PictureFetcher(max_bytes=1000))
    (item,) = source.items()
    with pytest.raises(SourceProblem) as caught:
        source.load(item)
    problem = caught.value.problem
    assert (problem.state, problem.code, problem.retryable) == (
        "failed",
        AddressRefused.code,
        False,
    )


def test_a_file_named_like_an_address_is_none(tmp_path: Path) -> None:
    """Only http and https are addresses; anything else is a path."""
    (tmp_path / "list.txt").write_text("ftp://x.test/a.jpg\n")
    source = ListSource(tmp_path / "list.txt", limits=LIMITS, fetch=Web())
    (item,) = source.items()
    assert item.problem is not None
    assert item.problem.code == "unreadable"
    assert isinstance(item, SourceItem)


def test_an_address_beside_a_path_is_metadata(tmp_path: Path) -> None:
    """Of several columns that could name the picture the path is taken, wherever it stands."""
    (tmp_path / "t.csv").write_text(f"URL,Path\n{HOST}/shop,a.jpg\n")
    (item,) = ListSource(tmp_path / "t.csv", limits=LIMITS, fetch=Web()).items()
    assert (item.path, item.metadata) == ("a.jpg", {"URL": f"{HOST}/shop"})
