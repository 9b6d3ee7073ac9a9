"""What Prometheus may ask: requests, latencies, bytes, decodes in flight."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts of one service, in a registry of its own (no global state, so tests can repeat)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self._requests = Counter(
            "boxseek_requests_total", "Requests answered.", labels, registry=self.registry
        )
        self._latency = Histogram(
            "boxseek_request_seconds",
            "Time from the request's headers to the last byte of its answer.",
            ("route", "method"),
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._sent = Counter(
            "boxseek_sent_bytes_total", "Bytes of answers.", ("route",), registry=self.registry
        )
        self._running = Gauge(
            "boxseek_requests_in_flight", "Requests being answered.", registry=self.registry
        )

        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram, Counter]] = {}

    def started(self) -> None:
        """Count a request that came in."""
        self._running.inc()

    def finished(
        self, *, route: str, method: str, status: int, seconds: float, sent_bytes: int
    ) -> None:
        """Count a request that was answered (or whose client left: status 499)."""
        self._running.dec()
        self.answered(
            route=route, method=method, status=status, seconds=seconds, sent_bytes=sent_bytes
        )

    def answered(
        self, *, route: str, method: str, status: int, seconds: float, sent_bytes: int
    ) -> None:
        """Count a request that came and was answered in one go."""
        known = self._known.get((route, method, status))
        if known is None:  # looking them up costs more than counting
            known = self._known[route, method, status] = (
                self._requests.labels(route, method, str(status)),
                self._latency.labels(route, method),
                self._sent.labels(route),
            )
        requests, latency, sent = known
        requests.inc()
        latency.observe(seconds)
        sent.inc(sent_bytes)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Export a number that somebody else keeps, asked for at every scrape."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Give the text format of Prometheus."""
        return generate_latest(self.registry)
