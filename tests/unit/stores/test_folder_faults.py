from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from minio_proxy.errors import (
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from minio_proxy.stores.folder import FolderStore
from support.stores_streams import get, keys_of, put

KEY = "originals/ab/abcd"


class Disk:
    """Writes and syncs until told to fail, and keeps a log."""

    def __init__(self) -> None:
        self.write_error: int | None = None
        self.fsync_errors: dict[int, int] = {}
        self.most_bytes: int | None = None
        self.log: list[str] = []

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write as much as allowed."""
        if self.write_error is not None:
            raise OSError(self.write_error, os.strerror(self.write_error))
        self.log.append("write")
        return os.write(descriptor, data[: self.most_bytes])

    def fsync(self, descriptor: int) -> None:
        """Sync, and note what was synced."""
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        number = sum(entry.startswith("fsync") for entry in self.log)
        self.log.append(f"fsync {name}")
        if number in self.fsync_errors:
            error = self.fsync_errors[number]
            raise OSError(error, os.strerror(error))
        os.fsync(descriptor)


@pytest.fixture
def disk() -> Disk:
    """A disk that works until told otherwise."""
    return Disk()


@pytest.fixture
def store(tmp_path: Path, disk: Disk) -> FolderStore:
    """A store on that disk, with one object."""
    found = FolderStore(tmp_path / "store", write=disk.write, fsync=disk.fsync)
    put(found, KEY, b"old")
    disk.log.clear()
    return found


def temp_files(tmp_path: Path) -> list[Path]:
    """What lies in the temp area."""
    return list((tmp_path / "store" / ".tmp").iterdir())


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EACCES, StoreDenied),
        (errno.EROFS, StoreDenied),
        (errno.ESTALE, StoreUnavailable),
        (errno.EMFILE, StoreUnavailable),
        (errno.EIO, StoreError),
    ],
)
def test_a_failing_write_is_told_and_undone(
    store: FolderStore, disk: Disk, tmp_path: Path, number: int, expected: type[StoreError]
) -> None:
    """Each errno has its error; the old object stays and no temp file is left."""
    disk.write_error = number
    with pytest.raises(StoreError) as caught:
        put(store, KEY, b"new")
    assert type(caught.value) is expected
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(expected):
        store.check()
    assert get(store, KEY) == b"old"
    assert temp_files(tmp_path) == []


def test_a_failing_sync_of_the_file_surfaces(
    store: FolderStore, disk: Disk, tmp_path: Path
) -> None:
    """Without a synced file nothing is renamed: the old object stays."""
    disk.fsync_errors = {0: errno.EIO}
    with pytest.raises(StoreError, match="disk failed"):
        put(store, KEY, b"new")
    assert get(store, KEY) == b"old"
    assert temp_files(tmp_path) == []


def test_a_failing_sync_of_the_folder_surfaces(store: FolderStore, disk: Disk) -> None:
    """A rename that may not survive a power loss is not acknowledged."""
    disk.fsync_errors = {1: errno.EIO}
    with pytest.raises(StoreError, match="disk failed"):
        put(store, KEY, b"new")
    assert get(store, KEY) == b"new"


def test_what_is_synced_and_in_which_order(store: FolderStore, disk: Disk, tmp_path: Path) -> None:
    """The file before its rename, every new folder's parent, the object's folder last."""
    root = tmp_path / "store"
    put(store, "new/x/y", b"content")
    folders = [f"fsync {root}", f"fsync {root}/new", f"fsync {root}/new/x"]
    assert disk.log[0] == "write"
    assert disk.log[1].startswith(f"fsync {root}/.tmp/")
    assert disk.log[2:] == folders
    disk.log.clear()
    put(store, "new/x/z", b"content")
    assert disk.log[2:] == folders[-1:]


def test_another_instance_syncs_folders_it_did_not_make(tmp_path: Path, disk: Disk) -> None:
    """A folder that another process has made is not yet durable for this one."""
    root = tmp_path / "store"
    put(FolderStore(root), "a/b/c", b"x")
    second = FolderStore(root, fsync=disk.fsync)
    disk.log.clear()
    put(second, "a/b/d", b"x")
    assert disk.log[1:] == [f"fsync {root}", f"fsync {root}/a", f"fsync {root}/a/b"]


def test_short_writes_are_continued(store: FolderStore, disk: Disk) -> None:
    """A disk that takes seven bytes at a time gets them all."""
    disk.most_bytes = 7
    put(store, KEY, bytes(range(200)))
    assert get(store, KEY) == bytes(range(200))


def test_a_real_limit_on_file_size(tmp_path: Path) -> None:
    """The operating system's own refusal (RLIMIT_FSIZE) is StoreFull; the process lives on."""
    script = textwrap.dedent(
        """
        import io, pathlib, signal, sys
        from minio_proxy.errors import StoreFull
        from minio_proxy.stores.folder import FolderStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = FolderStore(pathlib.Path(sys.argv[1]))
        try:
            store.put("a/big", io.BytesIO(bytes(3_000_000)), size_bytes=3_000_000)
        except StoreFull:
            store.put("a/small", io.BytesIO(b"x"), size_bytes=1)
            print([found.key for found in store.list("")])
        """
    )
    limited = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    assert limited.stdout.strip() == "['a/small']"
    assert temp_files(tmp_path) == []


def test_killed_in_mid_put(tmp_path: Path) -> None:
    """After kill -9 while writing, every acknowledged object is whole and no other shows."""
    script = textwrap.dedent(
        """
        import io, itertools, pathlib, sys
        from minio_proxy.stores.folder import FolderStore
        store = FolderStore(pathlib.Path(sys.argv[1]))
        for number in itertools.count():
            content = bytes([number % 256]) * 300_000
            store.put(f"k/{number % 7}/{number:06}", io.BytesIO(content), size_bytes=300_000)
            print(number, flush=True)
        """
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(25)]
    writer.kill()
    acknowledged += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    writer.stdout.close()
    store = FolderStore(tmp_path / "store")
    found = {int(key.rpartition("/")[2]): key for key in keys_of(store, "k/")}
    assert set(acknowledged) <= set(found)
    assert len(found) <= len(acknowledged) + 1
    for number, key in found.items():
        assert get(store, key) == bytes([number % 256]) * 300_000


@pytest.mark.parametrize("replaced", [False, True], ids=["gone", "replaced"])
def test_a_folder_that_vanishes(tmp_path: Path, replaced: bool) -> None:
    """An unmounted folder is unavailable: it is never taken for an empty store."""
    root = tmp_path / "store"
    store = FolderStore(root)
    put(store, KEY, b"x")
    root.rename(tmp_path / "elsewhere")
    if replaced:
        root.mkdir()
    verbs: list[Callable[[], object]] = [
        lambda: store.list(""),
        lambda: store.stat(KEY),
        lambda: store.open(KEY),
        lambda: store.delete(KEY),
        lambda: put(store, KEY, b"y"),
        store.check,
    ]
    for verb in verbs:
        with pytest.raises(StoreUnavailable):
            verb()
    if replaced:
        root.rmdir()
    (tmp_path / "elsewhere").rename(root)
    assert get(store, KEY) == b"x"


def test_a_file_cut_while_it_is_read(store: FolderStore, tmp_path: Path) -> None:
    """A file that someone truncates raises; the stream never ends short."""
    put(store, KEY, b"x" * 600_000)
    chunks = store.open(KEY)
    next(chunks)
    os.truncate(tmp_path / "store" / KEY, 300_000)
    with pytest.raises(StoreUnavailable, match="early"):
        list(chunks)
