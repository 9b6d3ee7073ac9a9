from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from minio_proxy.access import Guard, KeyFile
from minio_proxy.access.guard import FAILED_ATTEMPTS_PER_MINUTE
from minio_proxy.access.scopes import LOCAL
from minio_proxy.errors import NotAuthenticated, TooManyRequests
from support.proxy_services import Clock, settings

PATH = "/thumbnails/320/" + "ab" * 32


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """A key file that does not exist yet."""
    return KeyFile(tmp_path / "keys.json")


def make(tmp_path: Path, keys: KeyFile, clock: Clock | None = None, **changes: object) -> Guard:
    """A guard with settings of its own and a clock that stands still."""
    clock = clock or Clock()
    return Guard(settings(tmp_path, **changes), keys, clock=clock, monotonic=clock)


def test_without_keys_everyone_is_the_local_caller(tmp_path: Path, keys: KeyFile) -> None:
    """Whatever credential comes, a service without keys looks at none and signs nothing."""
    guard = make(tmp_path, keys, rate_limit_per_minute=1)
    assert guard.identify(None, "c") == guard.identify("bsk_x", "c") == LOCAL
    for _ in range(10):
        guard.count(LOCAL, "c")
    assert guard.sign(PATH) == PATH
    assert guard.sign(PATH, (1, 2, 3.5, 4)) == PATH + "?box=1,2,3.5,4"


def test_a_new_key_closes_the_door_at_once(tmp_path: Path, keys: KeyFile) -> None:
    """The first key counts without a restart."""
    guard = make(tmp_path, keys)
    key, text = keys.add("a", "read")
    assert guard.identify(None, "c") is None
    caller = guard.identify(text, "c")
    assert caller is not None
    assert (caller.caller_id, caller.may("read"), caller.may("write")) == (key.key_id, True, False)


@pytest.mark.parametrize("loss", ["deleted", "damaged", "revoked"])
def test_losing_the_keys_never_opens_the_door(tmp_path: Path, keys: KeyFile, loss: str) -> None:
    """A service that had keys lets nobody in when they are gone."""
    key, text = keys.add("a", "admin")
    guard = make(tmp_path, keys)
    if loss == "deleted":
        keys.path.unlink()
    elif loss == "damaged":
        keys.path.write_text("{")
    else:
        keys.revoke(key.key_id)
    assert guard.keys_required
    assert guard.identify(None, "c") is None
    with pytest.raises(NotAuthenticated):
        guard.identify(text, "c")


def test_wrong_keys_are_limited_and_right_ones_pass(tmp_path: Path, keys: KeyFile) -> None:
    """After many wrong keys a client is told to wait; others and the right key are not."""
    _, text = keys.add("a", "read")
    guard = make(tmp_path, keys)
    for _ in range(FAILED_ATTEMPTS_PER_MINUTE):
        with pytest.raises(NotAuthenticated):
            guard.identify("bsk_wrong", "c")
    with pytest.raises(TooManyRequests) as refused:
        guard.identify("bsk_wrong", "c")
    assert refused.value.details["retry_after_s"] >= 1
    with pytest.raises(NotAuthenticated):
        guard.identify("bsk_wrong", "other")
    assert guard.identify(text, "c") is not None


def test_login_gives_a_token_that_ends(tmp_path: Path, keys: KeyFile) -> None:
    """A token has the key's scope, ends in time, and buys no further token."""
    _, text = keys.add("a", "write")
    clock = Clock()
    guard = make(tmp_path, keys, clock, token_ttl_s=60)
    token, session = guard.login(text, "c")
    assert session.expires_at == clock.now + 60
    for given in ({"credential": token}, {"credential": None, "cookie": token}):
        caller = guard.identify(**given, client="c")
        assert caller is not None
        assert caller.scope == "write"
    with pytest.raises(NotAuthenticated):
        guard.login(token, "c")
    clock.now += 60
    with pytest.raises(NotAuthenticated):
        guard.identify(token, "c")
    assert guard.identify(None, "c", cookie=token) is None


@pytest.mark.parametrize("key", ["", "bsk_", "bsk_wrong", "x"])
def test_login_with_a_wrong_key_is_refused(tmp_path: Path, keys: KeyFile, key: str) -> None:
    """Nothing but a key logs in."""
    keys.add("a", "write")
    with pytest.raises(NotAuthenticated):
        make(tmp_path, keys).login(key, "c")


def test_login_without_keys_says_that_none_is_needed(tmp_path: Path, keys: KeyFile) -> None:
    """A page that asks anyway gets a clear answer."""
    with pytest.raises(NotAuthenticated, match="no login is needed"):
        make(tmp_path, keys).login("bsk_x", "c")


def test_requests_are_limited_per_key(tmp_path: Path, keys: KeyFile) -> None:
    """One key's requests do not use up another's."""
    texts = [keys.add(name, "read")[1] for name in "ab"]
    guard = make(tmp_path, keys, rate_limit_per_minute=2)
    first, second = (guard.identify(text, "c") for text in texts)
    guard.count(first, "c")
    guard.count(first, "c")
    with pytest.raises(TooManyRequests):
        guard.count(first, "c")
    guard.count(second, "c")
    guard.count(None, "c")


def test_signed_addresses_are_checked_as_they_were_made(tmp_path: Path, keys: KeyFile) -> None:
    """What sign gives check_link takes, below the public address too."""
    keys.add("a", "read")
    guard = make(tmp_path, keys, proxy_public_url="https://pics.example/b/")
    url = urlsplit(guard.sign(PATH, (1, 2, 3, 4)))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://pics.example/b" + PATH
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    guard.check_link(PATH, query.pop("box"), **query)
    with pytest.raises(NotAuthenticated):
        guard.check_link(PATH, "1,2,3,5", **query)


@pytest.mark.parametrize("expires", ["", "x", "-1", "1e9", "٣", "9" * 13, "1.5"])
def test_an_expiry_that_is_no_time_is_refused(tmp_path: Path, keys: KeyFile, expires: str) -> None:
    """Only digits are looked at."""
    keys.add("a", "read")
    with pytest.raises(NotAuthenticated):
        make(tmp_path, keys).check_link(PATH, "", expires=expires, signature="a.b")
