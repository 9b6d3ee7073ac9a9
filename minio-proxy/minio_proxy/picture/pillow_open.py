"""Opening a file with one given Pillow plugin, in silence, with every failure mapped.

``Image.open`` is not used: it tries plugins, warns about sizes that Boxseek has its own
limits for, and pillow-heif would have to be registered for the whole process.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

from minio_proxy.errors import PictureError, PictureTooLarge, UndecodablePicture

# Filters of warnings belong to the whole process; two threads that change them at once
# would leave them changed.
_WARNINGS = threading.Lock()
_CUT_OFF_WORDS = ("truncated", "cut off", "end of file", "premature", "unexpected end")


@contextmanager
def opened(open_file: Callable[[], ImageFile.ImageFile]) -> Iterator[ImageFile.ImageFile]:
    """Open, hand out and close an image; any failure inside becomes a PictureError."""
    with mapped_errors():
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd tags, which are no errors here
            image = open_file()
        with image:
            yield image


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn whatever a decoder raises into PictureError's subclasses.

    Decoders meet hostile bytes: Pillow's plugins raise nearly every built-in exception on
    them, so all are caught here, and only here.
    """
    try:
        yield
    except PictureError:
        raise
    except (MemoryError, Image.DecompressionBombError) as exc:
        raise PictureTooLarge("The picture needs more memory than there is.") from exc
    except Exception as exc:
        raise _undecodable(str(exc)) from exc


def _undecodable(reason: str) -> UndecodablePicture:
    if any(words in reason.lower() for words in _CUT_OFF_WORDS):
        return UndecodablePicture("The file is cut off: pixels are missing.", reason="cut_off")
    words = " ".join(reason[:200].split()).rstrip(" .")  # codecs end their lines
    return UndecodablePicture(f"The picture cannot be decoded: {words}.", reason="damaged")
