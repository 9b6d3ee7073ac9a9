from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from minio_proxy.api.app import create_app
from minio_proxy.bootstrap import build_services
from minio_proxy.records import RecordPart
from support.proxy_services import picture
from support.proxy_services import settings as proxy_settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def proxy_schema(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[schemathesis.BaseSchema]:
    """The proxy's own OpenAPI document, asked of a proxy in this process with one picture."""
    with build_services(proxy_settings(tmp_path_factory.mktemp("schema"))) as services:
        part = RecordPart("upload", "a.jpg", None, None, None, datetime.now(UTC))
        services.originals.add(picture(), part)
        yield schemathesis.openapi.from_asgi(
            "/openapi.json", create_app(services), headers={"Host": "localhost"}
        )


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_documented(
    proxy_schema: schemathesis.BaseSchema, mode: schemathesis.GenerationMode
) -> None:
    """No request that the document allows, or just not allows, gets a 5xx or an unknown answer."""
    seen = 0
    for found in proxy_schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=30,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, headers={"Host": "localhost"})

        try:
            check()
        except Unsatisfiable:
            continue  # nothing about this operation can be wrong
        seen += 1
    assert seen >= 8
