"""The worst queries as small pictures inside the report."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np

from embedding_pipeline.domain.boxes import whole
from embedding_pipeline.domain.entries import Box
from embedding_pipeline.evaluation.asking import Answer, Asked
from embedding_pipeline.evaluation.labelled import LabelledPicture
from embedding_pipeline.pipeline.crop import cut
from minio_proxy.errors import PictureError
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits

SIDE = 96
QUALITY = 70
_FILL = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class PictureShelf:
    """Cuts small pictures out of the labelled ones.

    Args:
        by_name: the labelled pictures.
        names: their names by image key.
        limits: of size and pixels.
    """

    by_name: Mapping[str, LabelledPicture]
    names: Mapping[str, str]
    limits: Limits

    def crop(self, name: str, box: Box | None) -> str:
        """A crop of a picture as a ``data:`` address; empty when the picture cannot be read.

        Args:
            name: the picture's.
            box: pixels of the upright picture; None for all of it.
        """
        picture = self.by_name.get(name)
        if picture is None:
            return ""
        try:
            decoded = decode(picture.read(self.limits.max_bytes), self.limits)
        except (OSError, PictureError):
            return ""
        square = cut(
            decoded.rgb, box or whole(decoded.size_wh), rule="letterbox", size=SIDE, fill=_FILL
        )
        return _jpeg(square)


def worst_html(asked: Sequence[Asked], shelf: PictureShelf) -> str:
    """One row a query: what was asked, then its first ten answers, each marked right or wrong."""
    return "".join(_row(one, shelf) for one in asked)


def _row(asked: Asked, shelf: PictureShelf) -> str:
    query = _figure(
        shelf.crop(asked.picture, asked.box),
        f"Query: {asked.label} in {asked.picture}",
        "query",
        escape(asked.label),
        f"AP@10 {asked.average_precision:.2f}",
    )
    answers = "".join(_answer(one, shelf) for one in asked.answers)
    nothing = "" if asked.answers else '<p class="none">no answer</p>'
    return f'<div class="asked">{query}<div class="answers">{answers}{nothing}</div></div>'


def _answer(answer: Answer, shelf: PictureShelf) -> str:
    name = shelf.names.get(answer.image_key, "")
    shows = answer.truth or "nothing marked"
    mark = "right" if answer.right else "wrong"
    return _figure(
        shelf.crop(name, answer.box),
        f"{mark}: {shows} in {name}",
        mark,
        ("\u2713 " if answer.right else "\u2717 ") + escape(shows),
        f"{answer.score:.2f}",
    )


def _figure(source: str, told: str, kind: str, *lines: str) -> str:
    image = (
        f'<img src="{source}" alt="{escape(told)}">'
        if source
        else f'<span class="missing">{escape(told)}</span>'
    )
    caption = "".join(f"<span>{line}</span>" for line in lines)
    return f'<figure class="{kind}">{image}<figcaption>{caption}</figcaption></figure>'


def _jpeg(rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
