from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minio_proxy.access.keys import KeyFile, KeyRing
from minio_proxy.access.signing import (
    Session,
    box_text,
    check_link,
    make_token,
    parse_box,
    read_token,
    sign_link,
)
from minio_proxy.errors import NotAuthenticated

NOW = 1_000_000.0
PATH = "/crops/320/" + "ab" * 32
BOX = "1,2,30,40"


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """A file with one key."""
    keys = KeyFile(tmp_path / "keys.json")
    keys.add("page", "write")
    return keys


def _check(ring: KeyRing, link: dict[str, str], now: float = NOW, **changes: str) -> None:
    given_ = {"path": PATH, "box": BOX, **link, **changes}
    check_link(
        ring,
        given_["path"],
        given_["box"],
        expires=given_["expires"],
        signature=given_["signature"],
        now=now,
    )


def test_a_link_holds_until_it_expires(keys: KeyFile) -> None:
    """It is accepted again and again, then no more."""
    link = sign_link(keys.ring(), PATH, BOX, 3600, NOW)
    _check(keys.ring(), link)
    _check(keys.ring(), link, now=int(link["expires"]) - 1)
    with pytest.raises(NotAuthenticated, match="expired"):
        _check(keys.ring(), link, now=int(link["expires"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"path": PATH.replace("320", "1600")},
        {"path": PATH[:-1] + "0"},
        {"path": PATH.replace("crops", "thumbnails")},
        {"path": "/objects/" + "ab" * 32},
        {"box": "1,2,30,41"},
        {"box": ""},
        {"path": PATH + "1", "box": ",2,30,40"},
        {"expires": "9999999999"},
        {"signature": ""},
        {"signature": "."},
        {"signature": "x.y"},
        {"signature": "\ud800.\ud800"},
    ],
    ids=str,
)
def test_an_altered_link_is_refused(keys: KeyFile, changes: dict[str, str]) -> None:
    """Path, variant, box, expiry and signature all belong together."""
    link = sign_link(keys.ring(), PATH, BOX, 3600, NOW)
    with pytest.raises(NotAuthenticated, match="signature"):
        _check(keys.ring(), link, **changes)


@given(position=st.integers(0, 51), letter=st.sampled_from("ABab01-_."))
def test_no_single_letter_of_a_signature_can_change(
    tmp_path_factory: pytest.TempPathFactory, position: int, letter: str
) -> None:
    """Every letter of the signature counts (the last one's spare bits included)."""
    keys = KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")
    keys.add("page", "write")
    link = sign_link(keys.ring(), PATH, BOX, 3600, NOW)
    text = link["signature"]
    position = min(position, len(text) - 1)
    changed = text[:position] + letter + text[position + 1 :]
    if changed != text:
        with pytest.raises(NotAuthenticated):
            _check(keys.ring(), link, signature=changed)


@pytest.mark.parametrize("make", [sign_link, None], ids=["link", "token"])
def test_what_was_signed_survives_one_rotation(
    keys: KeyFile, make: Callable[..., dict[str, str]] | None
) -> None:
    """Links and tokens stay valid through one rotation and end with the second."""
    session = Session(keys.ring().keys[0].key_id, "write", int(NOW) + 60)
    link = sign_link(keys.ring(), PATH, BOX, 3600, NOW)
    token = make_token(keys.ring(), session)

    def check() -> None:
        if make:
            _check(keys.ring(), link)
        else:
            assert read_token(keys.ring(), token, NOW) == session

    keys.rotate()
    check()
    keys.rotate()
    with pytest.raises(NotAuthenticated):
        check()


def test_links_are_the_same_for_a_while_so_that_they_can_be_cached(keys: KeyFile) -> None:
    """Within a quarter of their life links are equal; they live at least three quarters."""
    start = NOW // 900 * 900
    links = [sign_link(keys.ring(), PATH, BOX, 3600, start + s) for s in (0, 450, 899)]
    assert links[0] == links[1] == links[2]
    assert sign_link(keys.ring(), PATH, BOX, 3600, start + 900) != links[0]
    assert int(links[0]["expires"]) - (start + 899) >= 2700


def test_a_token_says_who_and_what_for_how_long(keys: KeyFile) -> None:
    """A token is read back as it was made and ends in time."""
    session = Session(keys.ring().keys[0].key_id, "write", int(NOW) + 60)
    token = make_token(keys.ring(), session)
    assert read_token(keys.ring(), token, NOW + 59) == session
    with pytest.raises(NotAuthenticated, match="expired"):
        read_token(keys.ring(), token, NOW + 60)


def test_a_token_ends_with_its_key(keys: KeyFile) -> None:
    """Revoking the key ends its logins at once."""
    key = keys.ring().keys[0]
    token = make_token(keys.ring(), Session(key.key_id, "write", int(NOW) + 60))
    keys.revoke(key.key_id)
    with pytest.raises(NotAuthenticated, match="revoked"):
        read_token(keys.ring(), token, NOW)


@given(text=st.text(max_size=200))
def test_no_text_is_a_token(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever is sent as a token, the answer is NotAuthenticated and nothing else."""
    keys = KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")
    keys.add("page", "write")
    with pytest.raises(NotAuthenticated):
        read_token(keys.ring(), "bst_" + text, NOW)


def test_a_huge_or_deep_token_is_refused(keys: KeyFile) -> None:
    """Length is looked at before anything is parsed."""
    with pytest.raises(NotAuthenticated):
        read_token(keys.ring(), "bst_" + "W1tb" * 100_000, NOW)


def test_a_link_is_no_token_and_a_token_no_link(keys: KeyFile) -> None:
    """The purpose is part of what is signed."""
    token = make_token(keys.ring(), Session(keys.ring().keys[0].key_id, "read", int(NOW) + 60))
    secret_id = keys.ring().secrets[0].secret_id
    signature = f"{secret_id}.{token.rpartition('.')[2]}"
    with pytest.raises(NotAuthenticated):
        _check(keys.ring(), {"expires": str(int(NOW) + 60), "signature": signature})


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("0,0,1,1", (0, 0, 1, 1)),
        ("1.5,2.25,30,40.125", (1.5, 2.25, 30, 40.125)),
        ("-3,0,5,5", (-3, 0, 5, 5)),
        ("", None),
        ("1,2,3", None),
        ("1,2,3,4,5", None),
        ("3,2,1,4", None),
        ("1,4,3,4", None),
        ("a,b,c,d", None),
        ("nan,0,1,1", None),
        ("0,0,inf,1", None),
        ("0,0,1,1e400", None),
        ("0,0,1," + "9" * 200, None),
    ],
    ids=str,
)
def test_boxes_are_four_finite_numbers_that_span_an_area(
    text: str, box: tuple[float, ...] | None
) -> None:
    """Anything else is no box."""
    assert parse_box(text) == box


@given(
    st.tuples(*[st.floats(0, 10_000)] * 2),
    st.tuples(*[st.floats(1, 10_000)] * 2),
)
def test_a_box_survives_its_address(corner: tuple[float, float], size: tuple[float, float]) -> None:
    """Written and read back twice, a box's text is the same, so its signature fits."""
    box = (*corner, corner[0] + size[0], corner[1] + size[1])
    text = box_text(box)
    again = parse_box(text)
    assert again is not None
    assert box_text(again) == text
    assert all(abs(a - b) <= 0.0051 for a, b in zip(again, box, strict=True))
