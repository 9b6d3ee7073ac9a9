from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

PROBE = textwrap.dedent(
    """
    import sys

    FORBIDDEN = {
        "torch", "torchvision", "timm", "ultralytics", "towhee", "lancedb", "pyarrow",
        "elasticsearch", "onnxruntime", "embedding_pipeline",
    }

    class Refusing:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in FORBIDDEN:
                raise ImportError(f"the proxy must not import {name}")
            return None

    sys.meta_path.insert(0, Refusing())

    import importlib, pkgutil, threading, time, urllib.request
    import minio_proxy

    for found in pkgutil.walk_packages(minio_proxy.__path__, "minio_proxy."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)

    from minio_proxy.api.app import create_app
    from minio_proxy.api.server import build_server
    from minio_proxy.bootstrap import build_services
    from minio_proxy.settings import ProxySettings

    with build_services(ProxySettings(_env_file=None)) as services:
        server = build_server(create_app(services), host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").read().decode())
        server.should_exit = True
        thread.join(10)
    print("loaded:", sorted(FORBIDDEN & set(sys.modules)))
    """
)


def test_the_proxy_starts_where_no_model_library_is(tmp_path: Path) -> None:
    """Every module imports and the service answers with torch and its like out of reach."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert '{"status":"ok"}' in done.stdout
    assert "loaded: []" in done.stdout
