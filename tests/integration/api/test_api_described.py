"""Schemathesis over the description of /v1: no crash, no undocumented answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS

from embedding_pipeline.api.openapi import description
from support.api_app import add, opened, png
from support.api_demo_app import fake_models

CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The application over fake models with three pictures."""
    with opened(tmp_path_factory.mktemp("described"), models=fake_models) as (_, client):
        add(client, *(png(n) for n in range(3)), collection="a")
        yield client.app


def test_no_crash_and_no_undocumented_answer(served: object) -> None:
    """Whatever is sent, the answer is one that the description names, in its form."""
    schema = schemathesis.openapi.from_dict(description())
    seen = 0
    for found in schema.include(path_regex="^/(v1|healthz|readyz)").get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=15,
            derandomize=True,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.headers = {**(case.headers or {}), "Host": "127.0.0.1:8000"}
            case.call_and_validate(
                app=served,
                base_url="http://127.0.0.1:8000",
                checks=[CHECKS.get_one(name) for name in CHECKED],
            )

        check()
        seen += 1
    assert seen >= 15
