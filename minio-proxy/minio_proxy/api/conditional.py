"""Whether a client already has what it asks for (RFC 9110, section 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a content from another.

    Args:
        etag: strong, without quotes.
        modified_at: UTC; None where nobody knows.
    """

    etag: str
    modified_at: datetime | None = None

    def headers(self) -> dict[str, str]:
        """Give ETag and Last-Modified."""
        found = {"ETag": f'"{self.etag}"'}
        if self.modified_at is not None:
            found["Last-Modified"] = format_datetime(self._modified(), usegmt=True)
        return found

    def not_modified(self, request: Mapping[str, str]) -> bool:
        """Tell whether the answer is 304; If-None-Match goes before If-Modified-Since."""
        tags = request.get("if-none-match")
        if tags is not None:
            return self._listed(tags, weak=True)
        since = _time(request.get("if-modified-since"))
        return since is not None and self.modified_at is not None and self._modified() <= since

    def precondition_failed(self, request: Mapping[str, str]) -> bool:
        """Tell whether the answer is 412; If-Match goes before If-Unmodified-Since."""
        tags = request.get("if-match")
        if tags is not None:
            return not self._listed(tags, weak=False)
        since = _time(request.get("if-unmodified-since"))
        return since is not None and self.modified_at is not None and self._modified() > since

    def range_applies(self, if_range: str | None) -> bool:
        """Tell whether a Range is for this version; without If-Range it is."""
        if if_range is None:
            return True
        if '"' in if_range:
            return if_range.strip() == f'"{self.etag}"'
        since = _time(if_range)
        return since is not None and self.modified_at is not None and self._modified() == since

    def _listed(self, tags: str, *, weak: bool) -> bool:
        if tags.strip() == "*":
            return True
        given = (tag.strip() for tag in tags.split(","))
        return any((tag.removeprefix("W/") if weak else tag) == f'"{self.etag}"' for tag in given)

    def _modified(self) -> datetime:
        """The time in whole seconds, as HTTP writes it."""
        moment = self.modified_at or datetime.fromtimestamp(0, UTC)
        return moment.astimezone(UTC).replace(microsecond=0)


def _time(text: str | None) -> datetime | None:
    """Read an HTTP date; what is none is ignored."""
    if not text or not text.isascii():
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
