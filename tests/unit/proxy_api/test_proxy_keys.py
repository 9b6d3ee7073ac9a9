from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from minio_proxy.access import SESSION_COOKIE
from minio_proxy.api.app import create_app
from minio_proxy.bootstrap import ProxyServices, build_services, key_file
from support.proxy_services import picture, settings

BASE = "http://localhost:8001"


@dataclass
class Locked:
    """A proxy with a key for each scope and one picture."""

    services: ProxyServices
    client: TestClient
    keys: dict[str, str]
    picture_key: str

    def headers(self, scope: str) -> dict[str, str]:
        """Credentials of a scope; none for an empty one."""
        return {"authorization": f"Bearer {self.keys[scope]}"} if scope else {}


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Locked]:
    """A proxy with keys."""
    chosen = settings(tmp_path)
    keys = {scope: key_file(chosen).add(scope, scope)[1] for scope in ("read", "write", "admin")}
    with build_services(chosen) as services:
        client = TestClient(create_app(services), base_url=BASE)
        headers = {"authorization": f"Bearer {keys['write']}"}
        key = client.post("/objects", content=picture(), headers=headers).json()["key"]
        yield Locked(services, client, keys, key)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/objects", {"read", "write", "admin"}),
        ("GET", "/objects/{key}", {"read", "write", "admin"}),
        ("HEAD", "/objects/{key}", {"read", "write", "admin"}),
        ("GET", "/objects/{key}/metadata", {"read", "write", "admin"}),
        ("GET", "/thumbnails/64/{key}", {"read", "write", "admin"}),
        ("GET", "/crops/64/{key}?box=0,0,9,9", {"read", "write", "admin"}),
        ("GET", "/metrics", {"read", "write", "admin"}),
        ("POST", "/objects", {"write", "admin"}),
        ("DELETE", "/objects/{key}", {"admin"}),
        ("GET", "/healthz", {"", "read", "write", "admin"}),
        ("GET", "/readyz", {"", "read", "write", "admin"}),
        ("GET", "/v1/session", {"", "read", "write", "admin"}),
        ("POST", "/v1/logout", {"", "read", "write", "admin"}),
    ],
)
def test_each_scope_may_what_it_says(
    locked: Locked, method: str, path: str, allowed: set[str]
) -> None:
    """Without a key 401, with too small a scope 403, else it is done."""
    for scope in ("", "read", "write", "admin"):
        answer = locked.client.request(
            method, path.format(key=locked.picture_key), headers=locked.headers(scope)
        )
        if scope in allowed:
            assert answer.status_code not in {401, 403}, (scope, answer.text)
        else:
            assert answer.status_code == (403 if scope else 401), (scope, answer.text)
            assert scope or "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer bsk_wrong"},
        {"authorization": "Bearer bst_wrong.wrong"},
        {"authorization": "bearer  "},
        {"authorization": "Basic dTpw"},
        {"x-api-key": "wrong"},
        {"x-api-key": ""},
        {"cookie": f"{SESSION_COOKIE}=wrong"},
        {"cookie": "\xff=;;;=="},
    ],
    ids=str,
)
def test_wrong_credentials_are_401(locked: Locked, headers: dict[str, str]) -> None:
    """Whatever is wrong with them."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    assert locked.client.get("/objects", headers=raw).status_code == 401


def test_a_key_may_come_in_its_own_header(locked: Locked) -> None:
    """X-API-Key is as good as Authorization."""
    answer = locked.client.get("/objects", headers={"x-api-key": locked.keys["read"]})
    assert answer.status_code == 200


def test_a_login_gives_a_token_and_a_cookie(locked: Locked) -> None:
    """Both let in with the key's scope; the cookie is out of reach of scripts and other sites."""
    answer = locked.client.post("/v1/login", json={"key": locked.keys["write"]})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    assert locked.client.get("/v1/session").json() == {"keys_required": True, "scope": "write"}
    assert locked.client.get("/objects").status_code == 200
    assert locked.client.delete(f"/objects/{locked.picture_key}").status_code == 403
    locked.client.post("/v1/logout")
    assert locked.client.get("/objects").status_code == 401
    token = {"authorization": f"Bearer {answer.json()['token']}"}
    assert locked.client.get("/objects", headers=token).status_code == 200


def test_a_stale_cookie_does_not_stand_in_the_way(locked: Locked) -> None:
    """A browser that still sends an old login can log in again."""
    locked.client.cookies.set(SESSION_COOKIE, "bst_old.old")
    assert locked.client.get("/v1/session").json()["scope"] is None
    assert locked.client.post("/v1/login", json={"key": locked.keys["read"]}).status_code == 200


@pytest.mark.parametrize("key", ["", "bsk_x", "x" * 201, None, 3])
def test_a_login_with_a_wrong_key_is_refused(locked: Locked, key: object) -> None:
    """401 for a wrong key, 422 for what cannot be one."""
    assert locked.client.post("/v1/login", json={"key": key}).status_code in {401, 422}
    assert "set-cookie" not in locked.client.post("/v1/login", json={"key": key}).headers


def test_signed_addresses_need_no_header(locked: Locked) -> None:
    """Each variant opens with its own link and with no other's."""
    guard, key = locked.services.guard, locked.picture_key
    original = guard.sign(f"/objects/{key}")
    thumbnail = guard.sign(f"/thumbnails/64/{key}")
    crop = guard.sign(f"/crops/64/{key}", (1, 2, 50.5, 40))
    for url in (original, thumbnail, crop):
        answer = locked.client.get(url)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"].startswith("private")
        assert locked.client.head(url).status_code == 200
        assert locked.client.delete(url).status_code in {401, 405}
    query = thumbnail.partition("?")[2]
    for path in (f"/objects/{key}", f"/thumbnails/128/{key}", f"/crops/64/{key}"):
        assert locked.client.get(f"{path}?{query}").status_code == 401
    for changed in (
        crop.replace("box=1,", "box=0,"),
        crop.replace("50.5", "60"),
        crop.replace("expires=", "expires=9"),
        crop.replace("signature=", "signature=x"),
        crop.split("&signature")[0],
        crop + "x",
    ):
        assert locked.client.get(changed).status_code == 401, changed


def test_answers_carry_signed_addresses(locked: Locked) -> None:
    """What the proxy lists can be opened without a header."""
    listed = locked.client.get("/objects", headers=locked.headers("read")).json()
    url = listed["objects"][0]["url"]
    assert "signature=" in url
    assert locked.client.get(url).content == picture()


def test_requests_are_limited_per_key(tmp_path: Path) -> None:
    """429 says when to come again; health is never limited."""
    chosen = settings(tmp_path, rate_limit_per_minute=3)
    key = key_file(chosen).add("a", "read")[1]
    with build_services(chosen) as services:
        client = TestClient(create_app(services), base_url=BASE)
        statuses = [
            client.get("/objects", headers={"x-api-key": key}).status_code for _ in range(4)
        ]
        assert statuses == [200, 200, 200, 429]
        refused = client.get("/objects", headers={"x-api-key": key})
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["code"] == "too_many_requests"
        assert client.get("/healthz", headers={"x-api-key": key}).status_code == 200
