"""A TCP proxy on loopback that loses, delays or refuses connections when told to."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from types import TracebackType
from typing import Self

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class CuttingProxy:
    """Stands between a client and a server, and breaks what passes.

    Args:
        host: the server's.
        port: the server's.
        tls: how to speak TLS with clients; None for plain TCP.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.cut_upload_after: int | None = None
        self.cut_download_after: int | None = None
        self.answer_delay_s = 0.0
        self.down = False
        self._server = (host, port)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """Address that clients use."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)
        self.drop_all()

    def drop_all(self) -> None:
        """Reset every open connection, as a killed server does."""
        for connection in list(self._open):
            self._drop(connection)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # The proxy was closed.
            if self._tls:
                try:
                    client = self._tls.wrap_socket(client, server_side=True)
                except OSError:
                    continue  # The client does not trust us.
            self._open.add(client)
            if self.down:
                self._drop(client)
                continue
            server = socket.create_connection(self._server)
            self._open.add(server)
            for source, target, upload in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pump, args=(source, target, upload), daemon=True
                ).start()

    def _pump(self, source: socket.socket, target: socket.socket, upload: bool) -> None:
        passed = 0
        try:
            while chunk := source.recv(65536):
                if not upload:
                    time.sleep(self.answer_delay_s)
                passed += len(chunk)
                most = self.cut_upload_after if upload else self.cut_download_after
                if most is not None and passed > most:
                    break
                target.sendall(chunk)
        except OSError:
            pass  # The other direction was cut.
        self._drop(source)
        self._drop(target)

    def _drop(self, connection: socket.socket) -> None:
        self._open.discard(connection)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It is closed already.
        connection.close()
