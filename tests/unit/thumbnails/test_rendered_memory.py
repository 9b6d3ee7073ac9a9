"""The memory for rendered pictures: what it keeps, and what gives way."""

from __future__ import annotations

from minio_proxy.thumbnails import Rendered
from minio_proxy.thumbnails.memory import RenderedMemory


def test_memory_is_bounded() -> None:
    """The ones unused for longest give way; what is too large or deleted meanwhile is not kept."""
    memory = RenderedMemory(64_000)

    def keep(number: int, size_bytes: int, since: int = 0) -> bool:
        memory.keep(f"picture {number}", f"{number}", _rendered(size_bytes), since=since)
        assert memory.size_bytes <= 64_000
        return memory.any_age(f"{number}") is not None

    assert all(keep(number, 3_000) for number in range(15))
    assert memory.fresh("0") is not None
    assert keep(15, 6_900)
    assert memory.fresh("0") is not None
    assert memory.fresh("1") is None
    assert not keep(16, 8_000)
    assert keep(2, 10)
    memory.forget("picture 2")
    assert not keep(17, 10)
    assert keep(17, 10, since=1)
    for number in range(18):
        memory.forget(f"picture {number}")
    assert memory.size_bytes == 0
    nothing = RenderedMemory(0)
    nothing.keep("a", "a", _rendered(1), since=0)
    assert nothing.any_age("a") is None


def _rendered(size_bytes: int) -> Rendered:
    return Rendered(bytes(size_bytes), "image/webp", "tag")
