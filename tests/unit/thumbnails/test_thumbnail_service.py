"""Thumbnails are made once, kept, made again when damaged, and gone with their picture."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from minio_proxy.errors import (
    InvalidBox,
    InvalidKey,
    ObjectNotFound,
    StoreFull,
    TooManyRequests,
    UndecodablePicture,
    UnsupportedWidth,
)
from minio_proxy.picture.header import Limits, inspect
from minio_proxy.picture.render import RenderedType
from minio_proxy.settings import ProxySettings
from minio_proxy.thumbnails import WIDTHS, ThumbnailService
from minio_proxy.thumbnails.gate import DecodeGate
from minio_proxy.thumbnails.memory import FRESH_S, RenderedMemory
from minio_proxy.thumbnails.single_flight import SingleFlight
from support import picture_files as files
from support.picture_store import MemoryOriginals, MemoryStore

WEBP: RenderedType = "image/webp"
JPEG: RenderedType = "image/jpeg"
PICTURE = files.encoded(files.photo(400, 300), "JPEG")


class House:
    """A service with its store and originals in memory, and one picture in it."""

    def __init__(self, places: int = 4, wait_s: float = 5.0, memory_bytes: int = 0) -> None:
        self.store, self.originals = MemoryStore(), MemoryOriginals()
        self.key = self.originals.add(PICTURE)
        self.now = 0.0
        gate = DecodeGate(places, wait_s=wait_s)
        self.service = ThumbnailService(
            self.store, self.originals, limits=Limits(), quality=70, gate=gate,
            memory=RenderedMemory(memory_bytes, clock=lambda: self.now),
        )  # fmt: skip


@pytest.fixture
def house() -> House:
    """A service with one picture."""
    return House()


@pytest.mark.parametrize(("media_type", "ending"), [(WEBP, "webp"), (JPEG, "jpg")])
def test_a_thumbnail_is_made_once_and_kept(
    house: House, media_type: RenderedType, ending: str
) -> None:
    """The second request reads no original and gets the same bytes and ETag."""
    made = house.service.thumbnail(house.key, 128, media_type)
    again = house.service.thumbnail(house.key, 128, media_type)
    assert made == again
    assert made.media_type == media_type == inspect(made.data, Limits()).media_type
    assert house.originals.reads == 1
    stored = f"thumbnails/128/{house.key[:2]}/{house.key}.{ending}"
    assert house.store.objects == {stored: made.data}


def test_etags_differ_where_the_bytes_do(house: House) -> None:
    """Type and width have ETags of their own."""
    tags = {house.service.thumbnail(house.key, w, t).etag for w in (64, 128) for t in (WEBP, JPEG)}
    assert len(tags) == 4


@pytest.mark.parametrize("width", [0, -1, 65, 100_000])
def test_other_widths_are_refused(house: House, width: int) -> None:
    """A width that is not offered names those that are."""
    with pytest.raises(UnsupportedWidth, match="64, 128") as caught:
        house.service.thumbnail(house.key, width, WEBP)
    assert caught.value.details == {"actual": width, "allowed": list(WIDTHS)}
    with pytest.raises(UnsupportedWidth):
        house.service.crop(house.key, (0, 0, 9, 9), width, WEBP)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "/"])
def test_malformed_keys_are_refused(house: House, key: str) -> None:
    """What is no SHA-256 never reaches the store."""
    for call in (
        lambda: house.service.thumbnail(key, 64, WEBP),
        lambda: house.service.crop(key, (0, 0, 9, 9), 64, WEBP),
        lambda: house.service.delete(key),
    ):
        with pytest.raises(InvalidKey):
            call()


def test_an_unknown_picture_is_not_found(house: House) -> None:
    """A key without an original is ObjectNotFound, and nothing is kept."""
    with pytest.raises(ObjectNotFound):
        house.service.thumbnail("0" * 64, 64, WEBP)
    assert not house.store.objects


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"garbage", id="garbage"),
        pytest.param(lambda data: data[:-10], id="cut off"),
        pytest.param(lambda data: files.encoded(files.gradient(), "PNG"), id="another type"),
    ],
)
@pytest.mark.parametrize("media_type", [WEBP, JPEG])
def test_a_damaged_thumbnail_is_made_again(
    house: House, media_type: RenderedType, damage: object
) -> None:
    """What lies in the store is looked at before it is given out."""
    assert callable(damage)
    made = house.service.thumbnail(house.key, 64, media_type)
    (stored,) = house.store.objects
    house.store.objects[stored] = damage(made.data)
    with capture_logs() as logs:
        assert house.service.thumbnail(house.key, 64, media_type) == made
    assert logs[0]["event"] == "thumbnail_damaged"
    assert house.store.objects[stored] == made.data


def test_a_full_store_still_gives_thumbnails(house: House) -> None:
    """What cannot be kept is given out and logged."""
    house.store.failing = StoreFull("No space left.")
    with capture_logs() as logs:
        rendered = house.service.thumbnail(house.key, 64, WEBP)
    assert inspect(rendered.data, Limits()).size_wh == (64, 48)
    assert logs[0]["event"] == "thumbnail_not_kept"


def test_many_at_once_make_it_once(house: House) -> None:
    """Twenty simultaneous requests read the original once and get the same bytes."""
    house.originals.open_gate.clear()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(house.service.thumbnail, house.key, 64, WEBP) for _ in range(20)]
        time.sleep(0.3)
        house.originals.open_gate.set()
        results = {future.result(10) for future in waiting}
    assert len(results) == 1
    assert house.originals.reads == 1


def test_errors_are_shared_and_forgotten(house: House) -> None:
    """Who waits gets the same error; who comes later tries again."""
    key = house.originals.add(PICTURE[:500])
    house.originals.open_gate.clear()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(house.service.thumbnail, key, 64, WEBP) for _ in range(8)]
        time.sleep(0.3)
        house.originals.open_gate.set()
        errors = [future.exception(10) for future in waiting]
    assert all(isinstance(error, UndecodablePicture) for error in errors)
    assert house.originals.reads == 1
    with pytest.raises(UndecodablePicture):
        house.service.thumbnail(key, 64, WEBP)
    assert house.originals.reads == 2


def test_a_flight_leaves_nothing_behind() -> None:
    """After the end, with a result or an error, nothing is remembered."""
    flights: SingleFlight[int] = SingleFlight()
    assert flights.do("key", lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        flights.do("key", lambda: 1 // 0)
    assert flights.do("key", lambda: 2) == 2
    assert not flights._flying


def test_too_many_decodes_are_told_when_to_come_again() -> None:
    """A request beyond the places waits briefly and then gets TooManyRequests."""
    house = House(places=1, wait_s=0.05)
    other = house.originals.add(files.encoded(files.photo(64, 64, seed=2), "PNG"))
    house.originals.open_gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(house.service.thumbnail, house.key, 64, WEBP)
        time.sleep(0.2)
        with pytest.raises(TooManyRequests) as caught:
            house.service.thumbnail(other, 64, WEBP)
        house.originals.open_gate.set()
        assert first.result(10).data
    assert caught.value.details["retry_after_s"] >= 1
    assert house.service.thumbnail(other, 64, WEBP).data


def test_a_gate_frees_its_place_after_an_error() -> None:
    """An error inside gives the place back."""
    gate = DecodeGate(1, wait_s=0.01)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"), gate.place():
            raise ValueError("inside")
    with gate.place():
        pass


def test_crops_are_kept_by_box_and_width(house: House) -> None:
    """Boxes within the same whole pixels share a crop; others have their own."""
    one = house.service.crop(house.key, (10.2, 20.2, 99.5, 80.5), 64, WEBP)
    same = house.service.crop(house.key, (10.9, 20.9, 99.1, 80.1), 64, WEBP)
    house.service.crop(house.key, (10, 20, 100, 90), 64, WEBP)
    assert one == same
    assert sorted(house.store.objects) == [
        f"crops/{house.key[:2]}/{house.key}/10-20-100-81-64.webp",
        f"crops/{house.key[:2]}/{house.key}/10-20-100-90-64.webp",
    ]
    assert house.originals.reads == 2


@pytest.mark.parametrize(
    "box", [(9, 0, 3, 9), (0, 0, 0, 0), (400, 0, 500, 9), (0, 0, float("nan"), 1), (0, 0, 1e300, 1)]
)
def test_bad_boxes_are_refused(house: House, box: tuple[float, float, float, float]) -> None:
    """Inverted, empty, outside and not finite boxes are InvalidBox; nothing is kept."""
    with pytest.raises(InvalidBox):
        house.service.crop(house.key, box, 64, WEBP)
    assert not house.store.objects


def test_the_number_of_kept_crops_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops beyond the bound are given out and not kept."""
    monkeypatch.setattr("minio_proxy.thumbnails.service.MOST_CROPS", 3)
    for right in range(20, 26):
        assert house.service.crop(house.key, (0, 0, right, 20), 64, JPEG).data
    assert len(house.store.objects) == 3


def test_delete_removes_everything_of_one_picture(house: House) -> None:
    """Thumbnails and crops of the picture go; those of others stay."""
    other = house.originals.add(files.encoded(files.photo(64, 64, seed=2), "PNG"))
    for key in (house.key, other):
        house.service.thumbnail(key, 64, WEBP)
        house.service.thumbnail(key, 320, JPEG)
        house.service.crop(key, (0, 0, 9, 9), 64, WEBP)
    del house.originals.pictures[house.key]
    house.service.delete(house.key)
    house.service.delete(house.key)
    assert len(house.store.objects) == 3
    assert all(other in key for key in house.store.objects)


def test_a_thumbnail_made_during_delete_does_not_stay() -> None:
    """A picture deleted while its thumbnail is being made leaves nothing in the store."""
    house = House()
    read = house.originals.read
    deleted = threading.Event()

    def read_then_delete(image_key: str) -> bytes:
        data = read(image_key)
        del house.originals.pictures[image_key]
        house.service.delete(image_key)
        deleted.set()
        return data

    house.originals.read = read_then_delete  # type: ignore[method-assign]
    assert house.service.thumbnail(house.key, 64, WEBP).data
    assert deleted.is_set()
    assert not house.store.objects


def test_settings_name_quality_limits_and_places(house: House) -> None:
    """Quality, limits and decodes at once come from the settings."""
    coarse = ProxySettings(jpeg_quality=10, max_concurrent_decodes=1)
    service = ThumbnailService.from_settings(MemoryStore(), house.originals, coarse)
    small = service.thumbnail(house.key, 320, JPEG)
    assert len(small.data) < len(house.service.thumbnail(house.key, 320, JPEG).data) / 2
    narrow = ThumbnailService.from_settings(
        MemoryStore(), house.originals, ProxySettings(max_pixels=100)
    )
    with pytest.raises(Exception, match="at most 100 pixels"):
        narrow.thumbnail(house.key, 320, JPEG)


def test_what_was_given_lately_is_given_from_memory() -> None:
    """Neither store nor originals are asked, and the bytes and ETag are the same."""
    house = House(memory_bytes=1_000_000)
    assert house.service.thumbnail_at_hand(house.key, 64, WEBP) is None
    made = house.service.thumbnail(house.key, 64, WEBP)
    crop = house.service.crop(house.key, (1.5, 2, 50, 60), 64, JPEG)
    assert house.service.thumbnail_at_hand(house.key, 64, WEBP) == made
    assert house.service.crop_at_hand(house.key, (1.2, 2.9, 49.5, 60), 64, JPEG) == crop
    assert house.service.thumbnail_at_hand(house.key, 64, JPEG) is None
    with pytest.raises(InvalidBox):
        house.service.crop_at_hand(house.key, (9, 0, 3, 9), 64, JPEG)


def test_what_this_process_deletes_is_forgotten_at_once() -> None:
    """Of that picture, and of no other."""
    house = House(memory_bytes=1_000_000)
    other = house.originals.add(files.encoded(files.photo(90, 70), "JPEG"))
    for key in (house.key, other):
        house.service.thumbnail(key, 64, WEBP)
    house.originals.pictures.pop(house.key)
    house.service.delete(house.key)
    assert house.service.thumbnail_at_hand(house.key, 64, WEBP) is None
    assert house.service.thumbnail_at_hand(other, 64, WEBP) is not None


def test_what_another_process_deletes_is_noticed_soon() -> None:
    """After a moment the original is looked for again; while it is there no thumbnail is read."""
    house = House(memory_bytes=1_000_000)
    house.service.thumbnail(house.key, 64, WEBP)
    house.now += FRESH_S + 0.1
    assert house.service.thumbnail_at_hand(house.key, 64, WEBP) is None
    house.store.objects.clear()
    house.service.thumbnail(house.key, 64, WEBP)
    assert house.originals.reads == 1
    assert house.service.thumbnail_at_hand(house.key, 64, WEBP) is not None
    house.originals.pictures.clear()
    house.now += FRESH_S + 0.1
    with pytest.raises(ObjectNotFound):
        house.service.thumbnail(house.key, 64, WEBP)
    assert house.service.thumbnail_at_hand(house.key, 64, WEBP) is None
