from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from minio_proxy.api.server import PatientProtocol
from minio_proxy.bootstrap import key_file
from support.proxy_services import RunningProxy, picture, raw_answer, running_proxy, settings

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy without keys behind a real server."""
    with running_proxy(settings(tmp_path_factory.mktemp("proxy"), max_bytes=MEGABYTE)) as running:
        yield running


@pytest.fixture
def client(proxy: RunningProxy) -> Iterator[httpx.Client]:
    """A client of that proxy."""
    with httpx.Client(base_url=proxy.url, timeout=30) as client:
        yield client


@pytest.fixture
def key(client: httpx.Client) -> str:
    """A picture that is there."""
    return str(client.post("/objects", content=picture()).json()["key"])


@pytest.fixture(autouse=True)
def _alive(client: httpx.Client) -> Iterator[None]:
    """After whatever a test did, the service answers as before."""
    yield
    assert client.get("/readyz").status_code == 200


def _send(proxy: RunningProxy, text: bytes) -> tuple[int, bytes]:
    with proxy.connect() as connection:
        connection.sendall(text)
        return raw_answer(connection)


def _get(proxy: RunningProxy, target: str, headers: str = "") -> tuple[int, bytes]:
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    return _send(proxy, head.encode("latin-1"))


@pytest.mark.parametrize(
    "path",
    [
        "../../keys.json",
        "..%2f..%2fkeys.json",
        "%2e%2e/%2e%2e/keys.json",
        "%2e%2e%2f%2e%2e%2fkeys.json",
        "..%252f..%252fkeys.json",
        "..%c0%af..%c0%afkeys.json",
        "..%5c..%5ckeys.json",
        "....//....//keys.json",
        "%00",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "%ff%fe",
        "..;/keys.json",
        "." * 5000,
        "%252e%252e%252f",
    ],
    ids=lambda path: path[:30],
)
@pytest.mark.parametrize("place", ["/objects/", "/thumbnails/64/", "/crops/64/"])
def test_no_path_leaves_the_store(proxy: RunningProxy, place: str, path: str) -> None:
    """Every spelling of another path is an address that does not exist."""
    proxy.services.guard.keys.path.parent.mkdir(parents=True, exist_ok=True)
    status, rest = _get(proxy, place + path + "?box=0,0,1,1")
    assert status in {404, 422}, rest
    assert b'"code"' in rest
    assert b"root:" not in rest


def test_ten_thousand_ranges_are_one_answer(proxy: RunningProxy, key: str) -> None:
    """Many ranges in a small header get the whole picture once; in a giant one 431."""
    few = "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(1500)) + "\r\n"
    status, rest = _get(proxy, f"/objects/{key}", few)
    assert status == 200
    assert rest.endswith(picture())
    many = "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(10_000)) + "\r\n"
    assert _get(proxy, f"/objects/{key}", many)[0] == 431


@pytest.mark.parametrize(
    ("value", "status"),
    [("9-5", 416), ("99999999999999999999-", 416), ("0-99999999999999999999", 206), ("--1", 200)],
)
def test_odd_ranges(client: httpx.Client, key: str, value: str, status: int) -> None:
    """Inverted and outside: 416; longer than the picture: cut; nonsense: ignored."""
    answer = client.get(f"/objects/{key}", headers={"range": f"bytes={value}"})
    assert answer.status_code == status


@pytest.mark.parametrize("width", ["100000", "0", "-64", "64.5", "9" * 400, "٦٤", "0x40"])
def test_odd_widths(client: httpx.Client, key: str, width: str) -> None:
    """Only the fixed widths exist, however large the number."""
    answer = client.get(f"/thumbnails/{width}/{key}")
    assert answer.status_code == 422
    assert answer.json()["code"] in {"unsupported_width", "invalid_request"}


def test_giant_headers_are_431_in_the_one_shape(proxy: RunningProxy) -> None:
    """One of a megabyte, one that never ends, and a request that is no HTTP."""
    status, rest = _get(proxy, "/healthz", "X: " + "a" * 20_000 + "\r\n")
    assert (status, b'"headers_too_large"' in rest) == (431, True)
    with proxy.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        try:
            for _ in range(50):
                connection.sendall(b"a" * 16_384)
            status, rest = raw_answer(connection)
            assert (status, b'"headers_too_large"' in rest) == (431, True)
        except (ConnectionResetError, BrokenPipeError):
            pass  # cut off before everything was sent
    status, rest = _send(proxy, b"nonsense\r\n\r\n")
    assert (status, b'"malformed_request"' in rest) == (400, True)


def _form(parts: int) -> tuple[bytes, dict[str, str]]:
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n'
    return part * parts + b"--b--\r\n", {"content-type": "multipart/form-data; boundary=b"}


def test_a_form_of_1001_parts_is_refused(client: httpx.Client) -> None:
    """One request carries one file."""
    body, headers = _form(1001)
    answer = client.post("/objects", content=body, headers=headers)
    assert answer.status_code == 400
    assert "Too many files" in answer.json()["message"]


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    """With and without Content-Length, and the client gets to see why."""
    data = b"\xff\xd8\xff" + bytes(3 * MEGABYTE)

    def pieces() -> Iterator[bytes]:
        yield from (data[n : n + 65_536] for n in range(0, len(data), 65_536))

    for content in (data, pieces()):
        answer = client.post("/objects", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_without_an_end_is_cut(proxy: RunningProxy) -> None:
    """A chunked body that goes on for ever gets its 413 while it is still being sent."""
    with proxy.connect() as connection:
        connection.sendall(
            b"POST /objects HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
        for _ in range(64):
            connection.sendall(chunk)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_client_that_leaves_frees_what_it_held(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Uploads and downloads that end in the middle leave no file open and nothing stored."""
    with running_proxy(settings(tmp_path)) as proxy:
        store = proxy.services.store
        big = tmp_path / "big"
        big.write_bytes(bytes(30 * MEGABYTE))
        key = "cd" * 32
        with big.open("rb") as file:
            store.put(f"originals/cd/{key}", file, size_bytes=30 * MEGABYTE)
        for _ in range(5):
            with proxy.connect() as connection:
                connection.sendall(
                    b"POST /objects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n"
                )
                connection.sendall(bytes(100_000))
            with proxy.connect() as connection:
                target = f"GET /objects/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                connection.sendall(target.encode())
                connection.recv(1000)
        deadline = time.monotonic() + 10
        while _open_files(key) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _open_files(key) == 0
        assert httpx.get(f"{proxy.url}/objects").json()["objects"][0]["key"] == key
        metrics = httpx.get(f"{proxy.url}/metrics").text
        assert 'route="/objects/{key}",status="499"} 5.0' in metrics
        sent = re.search(r'boxseek_sent_bytes_total\{route="/objects/\{key\}"\} (\S+)', metrics)
        assert sent, "what was sent before they left is counted"
        assert 5 * 1000 <= float(sent[1]) < 5 * 30 * MEGABYTE
    assert "Traceback" not in capfd.readouterr().err


def _open_files(name: str) -> int:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(name in _target(link) for link in links)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def test_trickling_clients_do_not_starve_others(proxy: RunningProxy, key: str) -> None:
    """With 50 uploads and 50 heads that come a byte at a time, others are served as before."""
    slow: list[socket.socket] = []
    try:
        for number in range(100):
            connection = proxy.connect()
            head = b"POST /objects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
            connection.sendall(head + (b"\r\nx" if number % 2 else b"X-Slow: "))
            slow.append(connection)
        with httpx.Client(base_url=proxy.url, timeout=10) as client:
            for round_ in range(10):
                for connection in slow:
                    connection.sendall(b"x")
                assert client.get(f"/objects/{key}").content == picture()
                assert client.get(f"/thumbnails/64/{key}").status_code == 200
                assert client.post("/objects", content=picture(100 + round_)).status_code == 201
    finally:
        for connection in slow:
            connection.close()


def test_heads_that_never_end_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that does not finish its request's head is closed in time."""
    monkeypatch.setattr("minio_proxy.api.server.HEADERS_S", 0.2)
    with running_proxy(settings(tmp_path)) as proxy:
        for beginning in (b"", b"GET / HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost"):
            with proxy.connect(timeout_s=5) as connection:
                connection.sendall(beginning)
                with contextlib.suppress(ConnectionResetError):
                    assert connection.recv(1000) == b""


def test_an_answer_that_nobody_takes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that asks and does not read does not hold a file for ever."""
    monkeypatch.setattr("minio_proxy.api.server.STALLED_S", 0.3)
    with running_proxy(settings(tmp_path)) as proxy:
        big = tmp_path / "big"
        big.write_bytes(bytes(30 * MEGABYTE))
        key = "ef" * 32
        with big.open("rb") as file:
            proxy.services.store.put(f"originals/ef/{key}", file, size_bytes=30 * MEGABYTE)
        with proxy.connect() as connection:
            target = f"GET /objects/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(target.encode())
            deadline = time.monotonic() + 5
            time.sleep(0.1)
            while _open_files(key) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert _open_files(key) == 0
    assert PatientProtocol._stalled is None


def test_fifty_simultaneous_uploads_are_one_object(
    client: httpx.Client, proxy: RunningProxy
) -> None:
    """All are acknowledged with the same key, exactly one as new."""
    data = picture(77, (400, 300))

    def upload(_: int) -> httpx.Response:
        return client.post("/objects", content=data, timeout=60)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(upload, range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    key = hashlib.sha256(data).hexdigest()
    assert {answer.json()["key"] for answer in answers} == {key}
    assert client.get(f"/objects/{key}").content == data


def test_too_many_decodes_are_told_to_come_again(client: httpx.Client, proxy: RunningProxy) -> None:
    """While every decode is taken, new thumbnails get 429 and those that exist are given."""
    keys = [client.post("/objects", content=picture(n)).json()["key"] for n in (500, 501)]
    assert client.get(f"/thumbnails/64/{keys[0]}").status_code == 200
    gate = proxy.services.thumbnails._gate
    with contextlib.ExitStack() as taken:
        for _ in range(proxy.services.settings.max_concurrent_decodes):
            taken.enter_context(gate.place())
        with ThreadPoolExecutor(8) as pool:
            new = [pool.submit(client.get, f"/thumbnails/64/{keys[1]}") for _ in range(8)]
            assert client.get(f"/thumbnails/64/{keys[0]}").status_code == 200
            refused = [answer.result() for answer in new]
    assert {answer.status_code for answer in refused} == {429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert refused[0].json()["code"] == "too_many_requests"
    assert client.get(f"/thumbnails/64/{keys[1]}").status_code == 200


def test_a_shutdown_finishes_downloads(tmp_path: Path) -> None:
    """What was being sent when the end was asked for arrives whole."""
    size = 20 * MEGABYTE
    key = "aa" * 32
    big = tmp_path / "big"
    big.write_bytes(bytes(size))
    with ThreadPoolExecutor(1) as pool, running_proxy(settings(tmp_path)) as proxy:
        with big.open("rb") as file:
            proxy.services.store.put(f"originals/aa/{key}", file, size_bytes=size)
        connection = proxy.connect(timeout_s=20)
        target = f"GET /objects/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(target.encode())
        received = len(connection.recv(1000))
        rest = pool.submit(_count_slowly, connection)
        # Leaving this block stops the server, which waits for the download.
    assert received + rest.result() > size


def _count_slowly(connection: socket.socket) -> int:
    time.sleep(0.6)
    total = 0
    while piece := connection.recv(MEGABYTE):
        total += len(piece)
    connection.close()
    return total


def test_links_live_and_end(tmp_path: Path) -> None:
    """Unsigned 401, signed twice 200, altered 401, of a revoked secret 401."""
    chosen = settings(tmp_path)
    keys = key_file(chosen)
    _, text = keys.add("a", "admin")
    with running_proxy(chosen) as proxy, httpx.Client(base_url=proxy.url) as client:
        headers = {"x-api-key": text}
        stored = client.post("/objects", content=picture(), headers=headers).json()
        assert client.get(f"/objects/{stored['key']}").status_code == 401
        assert client.get(stored["url"]).status_code == 200
        assert client.get(stored["url"]).status_code == 200
        assert client.get(stored["url"][:-1] + "_").status_code == 401
        keys.rotate()
        assert client.get(stored["url"]).status_code == 200
        keys.rotate()
        assert client.get(stored["url"]).status_code == 401


@pytest.mark.data
@pytest.mark.parametrize("folder", ["refuse", "truncated", "accept", "orientation"])
def test_hostile_files_get_a_clear_answer(
    client: httpx.Client, test_data: Path, folder: str
) -> None:
    """Upload is refused or stored; what is stored has a thumbnail."""
    for path in sorted((test_data / "hostile" / folder).iterdir()):
        answer = client.post("/objects", content=path.read_bytes())
        if folder == "refuse":
            assert answer.status_code in {413, 415, 422}, path.name
        elif folder != "truncated":
            assert answer.status_code in {200, 201}, (path.name, answer.text)
        assert answer.status_code < 500, path.name
        if answer.status_code < 300:
            key = answer.json()["key"]
            assert client.get(f"/objects/{key}").content == path.read_bytes()
            thumbnail = client.get(f"/thumbnails/64/{key}")
            assert thumbnail.status_code == 200, (path.name, thumbnail.text)
            assert thumbnail.content.startswith(b"\xff\xd8")
