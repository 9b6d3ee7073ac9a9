from __future__ import annotations

import pytest

from minio_proxy.api.originals import disposition
from minio_proxy.api.pictures import negotiated

KEY = "ab" * 32


def test_a_picture_that_is_looked_at_is_named_by_its_key() -> None:
    """Without a name it is shown in place."""
    assert disposition(KEY, "image/png", None) == f'inline; filename="{KEY[:16]}.png"'
    assert disposition(KEY, "application/octet-stream", None).endswith('.bin"')


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("holiday.png", "holiday.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ('x"; evil="1.jpg', "x__ evil__1.jpg"),
        ("a\r\nSet-Cookie: b=c.jpg", "aSet-Cookie_ b_c.jpg"),
        ("päckchen.jpg", "p_ckchen.jpg"),
        ("\u202egpj.exe", "gpj.jpg"),
        (".jpg", f"{KEY[:16]}.jpg"),
        ("", f"{KEY[:16]}.jpg"),
        ("\ud800.jpg", f"{KEY[:16]}.jpg"),
        ("a" * 5000, "a" * 100 + ".jpg"),
        ("x.jpg.exe", "x.jpg"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_a_download_has_a_safe_name(name: str, plain: str) -> None:
    """No path, quote, line end or foreign ending gets into the header."""
    header = disposition(KEY, "image/jpeg", name)
    assert header.startswith(f'attachment; filename="{plain}"; filename*=UTF-8')
    assert header.isascii()
    assert "\r" not in header
    assert "\n" not in header


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("image/webp", "image/webp"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/webp"),
        ("IMAGE/WEBP;Q=0.5", "image/webp"),
        ("image/webp;q=0", "image/jpeg"),
        ("image/webp;q=0.5, image/jpeg", "image/jpeg"),
        ("image/webp;q=x", "image/jpeg"),
        ("image/webp;q=nan", "image/jpeg"),
        ("application/json", "image/jpeg"),
        (",,,;;;", "image/jpeg"),
        ("a/b," * 100_000 + "image/webp", "image/jpeg"),
    ],
    ids=lambda text: text[:30],
)
def test_webp_goes_to_who_names_it(accept: str, media_type: str) -> None:
    """Everyone else gets JPEG."""
    assert negotiated(accept) == media_type
