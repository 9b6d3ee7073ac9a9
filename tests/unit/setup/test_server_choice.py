"""Which real servers the tests take."""

from __future__ import annotations

import pytest

from support.servers import choose

ADDRESSES = {
    "BOXSEEK_TEST_ELASTICSEARCH_URL": "http://127.0.0.1:1",
    "BOXSEEK_TEST_S3_ENDPOINT": "http://127.0.0.1:2",
}


@pytest.mark.parametrize(
    ("environment", "docker", "native", "expected"),
    [
        pytest.param({}, False, False, "none", id="nothing at hand"),
        pytest.param({}, False, True, "native", id="assembled"),
        pytest.param({}, True, True, "docker", id="docker before native"),
        pytest.param(ADDRESSES, True, True, "environment", id="addresses before all"),
        pytest.param(
            {"BOXSEEK_TEST_S3_ENDPOINT": "http://127.0.0.1:2"},
            False,
            True,
            "native",
            id="one address",
        ),
        pytest.param(
            {**ADDRESSES, "BOXSEEK_TEST_SERVERS": "native"},
            True,
            True,
            "native",
            id="forced native",
        ),
        pytest.param({"BOXSEEK_TEST_SERVERS": "docker"}, False, True, "docker", id="forced docker"),
    ],
)
def test_choice_follows_the_order(
    environment: dict[str, str], docker: bool, native: bool, expected: str
) -> None:
    """Addresses, then Docker, then native; forcing wins over all."""
    source, reason = choose(environment, lambda: docker, lambda: native)
    assert source == expected
    assert reason


def test_reason_for_skipping_says_how_to_get_servers() -> None:
    """Someone whose tests are skipped reads what to do."""
    _, reason = choose({}, lambda: False, lambda: False)
    assert "make native" in reason
