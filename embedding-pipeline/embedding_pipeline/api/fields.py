"""The fields of forms: what they are called, what they may say, and what they mean."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from embedding_pipeline.api.forms import Form
from embedding_pipeline.domain.entries import EntryFilter, Kind
from embedding_pipeline.errors import InvalidQuery
from embedding_pipeline.search.results import Scope

MAX_NAME = 200
BOX_SIDES = 4
SOURCES = ("image", "object_id", "image_key", "url", "query_id", "cursor")


def _box(text: object) -> object:
    if not isinstance(text, str):
        return text
    parts = text.split(",")
    if len(parts) != BOX_SIDES:
        raise ValueError("a box is four numbers: x1,y1,x2,y2")
    return tuple(float(part) for part in parts)


def _names(text: object) -> object:
    if not isinstance(text, str):
        return text
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _json_object(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        value = json.loads(text, parse_constant=_no_constant)
        # Numbers beyond float and lone surrogates can neither be stored nor sent.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as exc:
        raise ValueError("no valid JSON") from exc
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - pydantic collects ValueError
    if "\\u0000" in json.dumps(value):
        raise ValueError("a text with a zero character")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("a time outside the calendar") from exc


def _collection(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or "," in name or not name.isprintable():
        raise ValueError(
            f"a collection's name has 1 to {MAX_NAME} printable characters and no comma"
        )
    return name


Names = Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str)]
Time = Annotated[datetime, AfterValidator(_utc)]
Metadata = Annotated[dict[str, Any], BeforeValidator(_json_object, json_schema_input_type=str)]
BoxText = Annotated[
    tuple[
        Annotated[float, Field(allow_inf_nan=True)],
        Annotated[float, Field(allow_inf_nan=True)],
        Annotated[float, Field(allow_inf_nan=True)],
        Annotated[float, Field(allow_inf_nan=True)],
    ],
    BeforeValidator(_box, json_schema_input_type=str),
]


class SearchForm(BaseModel):
    """Fields of ``POST /v1/search``; exactly one names the picture, or the cursor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    object_id: str | None = Field(None, description="Search by this entry of the index.")
    image_key: str | None = Field(None, description="Search by this picture of the index.")
    url: str | None = Field(None, description="Search by the picture at this address, if allowed.")
    query_id: str | None = Field(None, description="Search by the picture of an earlier query.")
    cursor: str | None = Field(None, description="Next page of a search; goes with limit alone.")
    box: BoxText | None = Field(
        None,
        description="`x1,y1,x2,y2` in pixels of the upright query picture.",
        examples=["10,20,110,220"],
    )
    scope: Scope = Field(
        "auto",
        description="What is searched for: the box, else (auto) the most prominent object, else "
        "the whole image; object and image insist on theirs.",
    )
    kinds: Literal["object", "image", "both"] = Field(
        "both", description="Which entries are searched."
    )
    labels: Names = Field((), description="Any of these classes, comma separated.")
    collections: Names = Field((), description="In any of these, comma separated.")
    taken_after: Time | None = Field(None, description="Taken at or after; without zone: UTC.")
    taken_before: Time | None = Field(None, description="Taken before; without zone: UTC.")
    metadata: Metadata = Field(
        default_factory=dict, description="JSON object; every field must be equal."
    )
    min_score: float | None = Field(
        None, ge=-1, le=1, allow_inf_nan=False, description="Entries below do not match."
    )
    limit: int | None = Field(None, ge=1, le=100, description="Images on a page; default 20.")
    label_weight: float | None = Field(
        None,
        ge=0,
        le=2,
        allow_inf_nan=False,
        description="How much an equal class adds to a score for the order; 0: looks alone.",
    )
    fold: bool | None = Field(
        None, description="Show one result for pictures that are nearly the same."
    )

    def entry_filter(self) -> EntryFilter:
        """Which entries may answer."""
        kinds: tuple[Kind, ...] = ("object", "image") if self.kinds == "both" else (self.kinds,)
        return EntryFilter(
            kinds=kinds,
            labels=self.labels,
            collections=self.collections,
            taken_after=self.taken_after,
            taken_before=self.taken_before,
            metadata=self.metadata,
        )


class AddForm(BaseModel):
    """Fields of ``POST /v1/images`` beside ``files``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: Annotated[str, AfterValidator(_collection)] | None = Field(
        None, description="Collection to put the pictures in."
    )
    metadata: Metadata | None = Field(None, description="JSON object of your own fields.")


class DetectForm(BaseModel):
    """``POST /v1/detect`` has no fields beside ``image``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


FormModel = TypeVar("FormModel", bound=BaseModel)


def parse_fields(form: Form, model: type[FormModel]) -> FormModel:
    """Read a form's fields.

    Raises:
        InvalidQuery: an unknown field, or a value that makes no sense; names it.
    """
    try:
        return model.model_validate(form.fields)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(problem["loc"][0]) if problem["loc"] else "form"
    if problem["type"] == "extra_forbidden":
        raise _unknown_field(name, [*model.model_fields, "image", "files"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    raise InvalidQuery(
        f"{name}: {message}.", parameter=name, actual=form.fields.get(name, "")[:200]
    )


def form_schema(
    model: type[BaseModel], files: dict[str, dict[str, Any]], required: Sequence[str] = ()
) -> dict[str, Any]:
    """Describe a form for OpenAPI.

    Args:
        model: its text fields.
        files: schema of its file parts by name.
        required: parts that must be there.
    """
    schema = model.model_json_schema(mode="validation")
    schema.pop("title", None)
    schema["properties"] = {**files, **schema.get("properties", {})}
    if required:
        schema["required"] = list(required)
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


def _unknown_field(name: str, known: Sequence[str]) -> InvalidQuery:
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    return InvalidQuery(
        f"The form has no field {name[:80]!r}{hint}", parameter=name[:80], close=close
    )
