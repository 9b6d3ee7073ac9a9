"""The description of the API, from which the page generates its types."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from embedding_pipeline.api.openapi import description

HEAVY = ("torch", "towhee", "ultralytics", "timm", "lancedb", "elasticsearch")


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    """The OpenAPI document."""
    return json.loads(json.dumps(description()))


def test_operation_ids_are_stable(
    document: dict[str, dict[str, dict[str, dict[str, str]]]],
) -> None:
    """Generated clients name their functions by them."""
    ids = {
        f"{method.upper()} {path}": operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1") or path in {"/healthz", "/readyz"}
    }
    assert ids == {
        "POST /v1/search": "search",
        "POST /v1/detect": "detect",
        "POST /v1/images": "addImages",
        "GET /v1/images": "listImages",
        "GET /v1/images/{image_key}": "getImage",
        "DELETE /v1/images/{image_key}": "deleteImage",
        "GET /v1/labels": "listLabels",
        "GET /v1/collections": "listCollections",
        "GET /v1/failures": "listFailures",
        "GET /v1/queries/{query_id}": "getQuery",
        "DELETE /v1/queries/{query_id}": "deleteQuery",
        "GET /v1/queries/{query_id}/image": "getQueryImage",
        "GET /v1/queries/{query_id}/preview": "getQueryPreview",
        "GET /v1/status": "getStatus",
        "GET /v1/session": "session_v1_session_get",
        "POST /v1/login": "login_v1_login_post",
        "POST /v1/logout": "logout_v1_logout_post",
        "GET /healthz": "health",
        "GET /readyz": "ready",
    }


def test_every_error_answer_has_the_one_shape(
    document: dict[str, dict[str, dict[str, dict[str, dict[str, dict[str, object]]]]]],
) -> None:
    """Also the framework's own 422."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert "ErrorBody" in json.dumps(answer), (path, status)


def test_the_search_form_is_described(document: dict[str, object]) -> None:
    """Every field of the form, the picture as a file."""
    text = json.dumps(document)
    for name in (
        "image", "object_id", "image_key", "url", "query_id", "cursor", "box", "scope", "kinds",
        "labels", "collections", "taken_after", "taken_before", "metadata", "min_score", "limit",
    ):  # fmt: skip
        assert f'"{name}"' in text


def test_the_command_writes_it_without_loading_models() -> None:
    """In a process of its own: neither torch nor an index is imported."""
    script = (
        "import runpy, sys; runpy.run_module('embedding_pipeline.api.openapi', run_name='__main__')"
        f"\nheavy = [name for name in {HEAVY!r} if name in sys.modules]"
        "\nassert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout)["paths"]["/v1/search"]
