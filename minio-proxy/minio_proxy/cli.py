"""The commands of the proxy alone; `boxseek proxy` and `boxseek keys` call these."""

from __future__ import annotations

import sys

from minio_proxy.access import ApiKey, Scope, check_listen
from minio_proxy.api.app import create_app
from minio_proxy.api.logs import configure_logging
from minio_proxy.api.server import build_server, run_server
from minio_proxy.bootstrap import build_services, key_file
from minio_proxy.errors import ProxyError
from minio_proxy.settings import ProxySettings


def serve_proxy(settings: ProxySettings) -> None:
    """Serve originals and thumbnails until SIGINT or SIGTERM.

    Raises:
        SettingsError: a setting that cannot work, such as an open address without keys.
        StoreError: the store cannot be used.
    """
    configure_logging(settings.log_level, settings.log_format)
    check_listen(settings, key_file(settings))
    with build_services(settings) as services:
        app = create_app(services)
        run_server(build_server(app, host=settings.host, port=settings.proxy_port))


def add_key(settings: ProxySettings, name: str, scope: Scope) -> tuple[ApiKey, str]:
    """Make an API key; the second value is the key itself, which is shown only once."""
    return key_file(settings).add(name, scope)


def list_keys(settings: ProxySettings) -> tuple[ApiKey, ...]:
    """List the keys, without the keys themselves: nobody knows these any more."""
    return key_file(settings).ring().keys


def revoke_key(settings: ProxySettings, key_id: str) -> ApiKey:
    """Remove a key; its logins end at once.

    Raises:
        SettingsError: there is no key with this id.
    """
    return key_file(settings).revoke(key_id)


def rotate_secret(settings: ProxySettings) -> None:
    """Sign links and logins with a new secret; twice ends all that were given out."""
    key_file(settings).rotate()


def main() -> int:
    """Run ``python -m minio_proxy``: serve with the settings of the environment."""
    try:
        serve_proxy(ProxySettings())
    except ProxyError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    return 0
