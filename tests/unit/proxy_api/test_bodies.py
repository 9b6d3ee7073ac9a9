from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from minio_proxy.api.bodies import BodyLimitMiddleware
from support.proxy_services import Clock


def _scope(**headers: str) -> Scope:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/x", "headers": pairs}


async def _read(receive: Receive) -> int:
    total = 0
    while True:
        message = await receive()
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            return total


def _run(pieces: list[bytes], scope: Scope, **options: Any) -> tuple[int | None, list[Message]]:
    """Send pieces through the middleware; gives what the inside read and what was answered."""
    read: list[int] = []
    answered: list[Message] = []
    waiting = list(pieces)

    async def inside(_: Scope, receive: Receive, send: Send) -> None:
        read.append(await _read(receive))

    async def receive() -> Message:
        if not waiting:
            await asyncio.sleep(3600)
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": body != b""}

    async def send(message: Message) -> None:
        answered.append(message)

    app = BodyLimitMiddleware(inside, max_bytes=lambda _: 10, **options)
    asyncio.run(app(scope, receive, send))
    return (read[0] if read else None), answered


def test_a_body_within_the_limit_passes() -> None:
    """Exactly the limit is allowed."""
    assert _run([b"12345", b"67890", b""], _scope()) == (10, [])


def test_a_body_that_announces_too_much_is_not_read() -> None:
    """The answer comes before the first byte."""
    read, answered = _run([], _scope(content_length="11"))
    assert read is None
    assert answered[0]["status"] == 413


@pytest.mark.parametrize("announced", ["", "5", "x", "-1"])
def test_a_body_that_grows_too_long_is_ended(announced: str) -> None:
    """The length counts, whatever was announced."""
    with pytest.raises(HTTPException) as refused:
        _run([b"12345", b"678901", b""], _scope(content_length=announced))
    assert refused.value.status_code == 413


def test_a_body_that_stops_coming_is_ended() -> None:
    """Silence is answered by 408."""
    with pytest.raises(HTTPException) as refused:
        _run([b"1"], _scope(), silence_s=0.02)
    assert refused.value.status_code == 408


def test_a_body_that_trickles_is_ended() -> None:
    """Never being silent does not help: the average counts after the time of grace."""
    clock = Clock()

    class Slow(list[bytes]):
        def pop(self, index: Any = 0) -> bytes:
            clock.now += 4
            return super().pop(index)

    async def inside(_: Scope, receive: Receive, send: Send) -> None:
        await _read(receive)

    pieces = Slow([b"1"] * 9)

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": pieces.pop(0), "more_body": True}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    app = BodyLimitMiddleware(inside, max_bytes=lambda _: 10, grace_s=20, clock=clock)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(app(_scope(), receive, send))
    assert refused.value.status_code == 408
    assert len(pieces) == 3
