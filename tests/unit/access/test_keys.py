from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from minio_proxy.access.keys import KeyFile
from minio_proxy.errors import SettingsError


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """A key file that does not exist yet."""
    return KeyFile(tmp_path / "new" / "keys.json")


def test_a_missing_file_is_an_empty_ring(keys: KeyFile) -> None:
    """Nobody has to make the file."""
    assert keys.ring().keys == ()


def test_a_key_is_found_by_its_text_only(keys: KeyFile) -> None:
    """The text that was shown once finds its key; any other text none."""
    key, text = keys.add("page", "write")
    assert keys.ring().find(text) == key
    assert key.scope == "write"
    for other in ("", text[:-1], text + "x", text.upper(), "bsk_", "\ud800"):
        assert keys.ring().find(other) is None


def test_keys_are_random_and_never_stored(keys: KeyFile) -> None:
    """A key has 256 random bits, and the file knows only its hash."""
    texts = {keys.add("k", "read")[1] for _ in range(5)}
    assert len(texts) == 5
    assert all(text.startswith("bsk_") and len(text) == 4 + 43 for text in texts)
    body = keys.path.read_text()
    assert not any(text in body or text[4:] in body for text in texts)


def test_only_the_owner_may_read_the_file(keys: KeyFile) -> None:
    """File and lock have mode 0600, whatever the umask, also after a change."""
    before = os.umask(0)
    try:
        keys.add("a", "read")
        keys.add("b", "read")
    finally:
        os.umask(before)
    for path in keys.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_changes_of_another_process_are_seen(keys: KeyFile) -> None:
    """A second reader of the file sees keys come and go without a restart."""
    other = KeyFile(keys.path)
    assert other.ring().keys == ()
    key, text = keys.add("a", "admin")
    assert other.ring().find(text) == key
    keys.revoke(key.key_id)
    assert other.ring().find(text) is None


def test_revoking_an_unknown_key_says_so(keys: KeyFile) -> None:
    """A wrong id is an error that names it, and changes nothing."""
    keys.add("a", "read")
    with pytest.raises(SettingsError, match="nope"):
        keys.revoke("nope")
    assert len(keys.ring().keys) == 1


def test_an_unknown_scope_is_refused(keys: KeyFile) -> None:
    """Only the three scopes exist."""
    with pytest.raises(SettingsError, match="scope"):
        keys.add("a", "root")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 1}',
        b'{"format": 1, "keys": [{}], "secrets": []}',
        b'{"format": 1, "keys": 3, "secrets": []}',
        b"\xff\xfe",
        b'{"format": 2, "keys": [], "secrets": []}',
    ],
    ids=["empty", "cut", "list", "no keys", "empty key", "number", "binary", "newer format"],
)
def test_a_damaged_file_is_an_error_and_never_no_keys(keys: KeyFile, body: bytes) -> None:
    """What cannot be read must not look like a service without keys."""
    keys.path.parent.mkdir()
    keys.path.write_bytes(body)
    with pytest.raises(SettingsError):
        keys.ring()
    with pytest.raises(SettingsError):
        keys.add("a", "read")
    assert keys.path.read_bytes() == body


def test_rotation_keeps_the_previous_secret_alone(keys: KeyFile) -> None:
    """Of three secrets the current and the previous one are valid."""
    keys.add("a", "read")
    first = keys.ring().secrets[0]
    keys.rotate()
    second = keys.ring().secrets[0]
    assert keys.ring().secrets == (second, first)
    keys.rotate()
    assert keys.ring().secrets[1:] == (second,)
    assert keys.ring().secret(first.secret_id) is None


def test_an_old_secret_is_rotated_and_a_young_one_is_not(keys: KeyFile) -> None:
    """A start after 30 days changes the secret; without keys there is nothing to do."""
    assert not keys.rotate_if_old()
    keys.add("a", "read")
    assert not keys.rotate_if_old()
    assert keys.rotate_if_old(datetime.now(UTC) + timedelta(days=31))
    assert len(keys.ring().secrets) == 2


def test_simultaneous_adds_lose_nothing(keys: KeyFile) -> None:
    """Ten writers with file objects of their own leave ten keys."""
    threads = [
        threading.Thread(target=KeyFile(keys.path).add, args=(str(n), "read")) for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key.name for key in keys.ring().keys) == sorted(map(str, range(10)))
    assert [path.name for path in keys.path.parent.iterdir() if path.name.startswith(".")] == []
    assert json.loads(keys.path.read_bytes())["format"] == 1
