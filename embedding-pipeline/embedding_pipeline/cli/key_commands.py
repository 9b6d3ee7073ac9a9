"""``boxseek keys``."""

from __future__ import annotations

import json

from embedding_pipeline.settings import Settings
from minio_proxy import cli as proxy
from minio_proxy.access import SCOPES
from minio_proxy.errors import SettingsError


def add_key(settings: Settings, name: str, scope: str) -> int:
    """Make a key and print it, the only time that it can be seen."""
    if scope not in SCOPES:
        raise SettingsError(f"A scope is one of {', '.join(SCOPES)}, not {scope!r}.", actual=scope)
    key, text = proxy.add_key(settings, name, scope)
    print(text)
    print(f"id {key.key_id}, scope {key.scope}. Keep it now; it is not shown again.")
    return 0


def show_keys(settings: Settings, *, as_json: bool) -> int:
    """Print id, scope, time and name of every key."""
    keys = proxy.list_keys(settings)
    for key in keys:
        created_at = key.created_at.isoformat(timespec="seconds")
        if as_json:
            fields = {"id": key.key_id, "name": key.name, "scope": key.scope}
            print(json.dumps(fields | {"created_at": created_at}))
        else:
            print(f"{key.key_id}  {key.scope:<5}  {created_at}  {key.name}")
    if not keys and not as_json:
        print("No keys: everyone on this machine may do everything, nobody else may.")
    return 0


def rotate_secret(settings: Settings) -> int:
    """Sign links and logins with a new secret."""
    proxy.rotate_secret(settings)
    print("New links and logins use a new secret; rotating once more ends all that exist now.")
    return 0


def revoke_key(settings: Settings, key_id: str) -> int:
    """Remove a key."""
    key = proxy.revoke_key(settings, key_id)
    print(f"revoked {key.key_id} ({key.name})")
    return 0
