"""A local stand-in for the model hubs: a release folder and Hugging-Face-style addresses."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hub:
    """Files by path, and how the hub misbehaves.

    Args:
        url: base address.
        files: path (``/timm/x/resolve/main/model.safetensors``) to content.
        delay_s: silence before every answer and in the middle of every body.
        cut_off: end every body after half of it.
        requests: paths asked for, in order.
        announced: SHA-256 that is told instead of the true one.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_off: bool = False
    requests: list[str] = field(default_factory=list)
    announced: str | None = None


@contextmanager
def hub() -> Iterator[Hub]:
    """Serve a hub on a free loopback port."""
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        """Answers GET from the hub's files; large files by redirect, as the real hub does."""

        def do_GET(self) -> None:
            """Answer one request."""
            state.requests.append(self.path)
            body = state.files.get(self.path.removeprefix("/cdn"))
            time.sleep(state.delay_s)
            if body is None:
                self.send_error(404)
            elif "/resolve/" in self.path and not self.path.startswith("/cdn"):
                sha256 = state.announced or hashlib.sha256(body).hexdigest()
                self.send_response(302)
                self.send_header("Location", f"{state.url}/cdn{self.path}")
                self.send_header("X-Repo-Commit", "0" * 40)
                self.send_header("X-Linked-Etag", f'"{sha256}"')
                self.send_header("X-Linked-Size", str(len(body)))
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._send(body)

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.end_headers()
            try:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                time.sleep(state.delay_s)
                if not state.cut_off:
                    self.wfile.write(body[len(body) // 2 :])
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # a probe reads no body

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
