"""The file of hashed API keys and of the secrets that sign tokens and links.

A key is 256 random bits, so one SHA-256 is the right hash for it: nobody can guess such a
key from its hash, and slow hashes (scrypt, argon2) exist for secrets that people choose.
Only the hash is stored; the key itself is shown once, when it is made.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from minio_proxy.access.scopes import SCOPES, Scope
from minio_proxy.errors import SettingsError

KEYS_FORMAT = 1
KEY_PREFIX = "bsk_"
SECRETS_KEPT = 2  # the current one and the previous one, so that a rotation ends no session
ROTATE_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the file knows it.

    Args:
        key_id: short public id, for logs, lists and ``revoke``.
        name: what it is for, in the user's words.
        scope: the widest scope it holds.
        sha256: hex digest of the whole key.
        created_at: UTC.
    """

    key_id: str
    name: str
    scope: Scope
    sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """256 random bits that sign tokens and links, and the id that signatures carry."""

    secret_id: str
    secret: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRing:
    """One state of the file; ``secrets`` has the current one first."""

    keys: tuple[ApiKey, ...] = ()
    secrets: tuple[SigningSecret, ...] = ()

    def find(self, presented: str) -> ApiKey | None:
        """Find the key with this text, comparing every hash in constant time."""
        digest = hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def key(self, key_id: str) -> ApiKey | None:
        """Find a key by its public id."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def secret(self, secret_id: str) -> SigningSecret | None:
        """Find a signing secret that is still valid."""
        return next((item for item in self.secrets if item.secret_id == secret_id), None)


class KeyFile:
    """Keys and secrets on disk (mode 0600), read again whenever the file changed.

    Args:
        path: the JSON file; it and its folder are made by the first ``add``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = str(path)
        self._lock = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._ring = KeyRing()

    def ring(self) -> KeyRing:
        """Give the present keys; a missing file is an empty ring.

        Raises:
            SettingsError: the file is damaged, unreadable or of another format version.
        """
        with self._lock:
            try:
                stat = os.stat(self._place)  # noqa: PTH116 - Path.stat takes twice the time
            except FileNotFoundError:
                self._version, self._ring = None, KeyRing()
                return self._ring
            except OSError as exc:
                raise SettingsError("The keys file cannot be read.", reason=exc.strerror) from exc
            version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if version != self._version:
                self._ring = _read(self.path)
                self._version = version
            return self._ring

    def add(self, name: str, scope: Scope) -> tuple[ApiKey, str]:
        """Make a key and store its hash; the second value is the key, shown only here."""
        if scope not in SCOPES:
            raise SettingsError(f"A scope is one of {', '.join(SCOPES)}.", actual=scope)
        text = KEY_PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(
            key_id=secrets.token_hex(4),
            name=name,
            scope=scope,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            created_at=datetime.now(UTC),
        )
        with self._changing() as ring:
            kept = ring.secrets or (_new_secret(),)
            _write(self.path, KeyRing((*ring.keys, key), kept))
        return key, text

    def revoke(self, key_id: str) -> ApiKey:
        """Remove a key; its tokens end with it.

        Raises:
            SettingsError: there is no key with this id.
        """
        with self._changing() as ring:
            key = ring.key(key_id)
            if key is None:
                raise SettingsError(f"There is no key with the id {key_id!r}.", key_id=key_id)
            keys = tuple(item for item in ring.keys if item.key_id != key_id)
            _write(self.path, replace(ring, keys=keys))
        return key

    def rotate(self) -> None:
        """Sign with a new secret from now on; what the previous one signed stays valid."""
        with self._changing() as ring:
            kept = (_new_secret(), *ring.secrets)[:SECRETS_KEPT]
            _write(self.path, replace(ring, secrets=kept))

    def rotate_if_old(self, now: datetime | None = None) -> bool:
        """Rotate when there are keys and the current secret is older than 30 days."""
        ring = self.ring()
        now = now or datetime.now(UTC)
        if not ring.keys or (ring.secrets and now - ring.secrets[0].created_at < ROTATE_AFTER):
            return False
        self.rotate()
        return True

    @contextmanager
    def _changing(self) -> Iterator[KeyRing]:
        """Hold the lock that every process takes for a change; gives the newest state."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock_path = self.path.with_name(self.path.name + ".lock")
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield _read(self.path) if self.path.exists() else KeyRing()
        finally:
            os.close(descriptor)


def _new_secret() -> SigningSecret:
    return SigningSecret(secrets.token_hex(4), secrets.token_bytes(32), datetime.now(UTC))


def _read(path: Path) -> KeyRing:
    try:
        body = json.loads(path.read_bytes())
        found = body["format"]
        if found == KEYS_FORMAT:
            return KeyRing(
                tuple(_key(item) for item in body["keys"]),
                tuple(_secret(item) for item in body["secrets"]),
            )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise SettingsError("The keys file is damaged or cannot be read.", file=path.name) from exc
    raise SettingsError(
        "The keys file was written by another version of Boxseek.",
        expected=KEYS_FORMAT,
        actual=found,
    )


def _write(path: Path, ring: KeyRing) -> None:
    """Replace the file durably; nobody but its owner may ever read it."""
    body: dict[str, Any] = {
        "format": KEYS_FORMAT,
        "keys": [
            {
                "id": key.key_id,
                "name": key.name,
                "scope": key.scope,
                "sha256": key.sha256,
                "created_at": key.created_at.isoformat(),
            }
            for key in ring.keys
        ],
        "secrets": [
            {
                "id": item.secret_id,
                "secret": item.secret.hex(),
                "created_at": item.created_at.isoformat(),
            }
            for item in ring.secrets
        ],
    }
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(body, indent=2).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _key(item: dict[str, Any]) -> ApiKey:
    if item["scope"] not in SCOPES:
        raise ValueError("unknown scope")
    created_at = datetime.fromisoformat(item["created_at"])
    return ApiKey(
        str(item["id"]), str(item["name"]), item["scope"], str(item["sha256"]), created_at
    )


def _secret(item: dict[str, Any]) -> SigningSecret:
    created_at = datetime.fromisoformat(item["created_at"])
    return SigningSecret(str(item["id"]), bytes.fromhex(item["secret"]), created_at)
