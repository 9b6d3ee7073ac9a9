"""The one guard of both services: who asks, from where, how often, and signed addresses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import structlog

from minio_proxy.access.hosts import HostRules, split_list
from minio_proxy.access.keys import KEY_PREFIX, KeyFile, KeyRing
from minio_proxy.access.limits import TokenBuckets
from minio_proxy.access.scopes import LOCAL, Caller
from minio_proxy.access.signing import (
    TOKEN_PREFIX,
    Session,
    box_text,
    check_link,
    make_token,
    read_token,
    sign_link,
)
from minio_proxy.errors import NotAuthenticated, SettingsError, TooManyRequests
from minio_proxy.settings import ProxySettings

FAILED_ATTEMPTS_PER_MINUTE = 20
MAX_EXPIRES_DIGITS = 12


class Guard:
    """Decides who may; knows nothing of HTTP frameworks, so both services share it.

    Args:
        settings: hosts, origins, limits, lifetimes, public address.
        keys: the file of keys; read again whenever it changes.
        clock: seconds since the epoch.
        monotonic: seconds that only grow, for the limits.
    """

    def __init__(
        self,
        settings: ProxySettings,
        keys: KeyFile,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys = keys
        self.hosts = HostRules(
            settings.host, split_list(settings.allowed_hosts), split_list(settings.cors_origins)
        )
        self.token_ttl_s = settings.token_ttl_s
        self._link_ttl_s = settings.link_ttl_s
        self._public_url = settings.proxy_public_url.rstrip("/")
        self._clock = clock
        self._requests = TokenBuckets(settings.rate_limit_per_minute, clock=monotonic)
        self._failures = TokenBuckets(FAILED_ATTEMPTS_PER_MINUTE, clock=monotonic)
        self._keys_seen = bool(keys.ring().keys)

    @property
    def keys_required(self) -> bool:
        """Whether requests need a key; once keys were seen, losing them never opens the door."""
        return self._keys_seen or bool(self._ring().keys)

    def identify(
        self, credential: str | None, client: str, *, cookie: str | None = None
    ) -> Caller | None:
        """Turn a key or login token into its caller; None where none was given.

        Without keys everyone is the local caller, whatever was sent. A login cookie that is
        no longer valid counts as none: browsers keep sending it, also with a new login.

        Args:
            credential: key or token that the request carries on purpose, in a header.
            cookie: token of the login cookie, looked at where there is no credential.
            client: address of the client.

        Raises:
            NotAuthenticated: the key or token is wrong, revoked or expired.
            TooManyRequests: too many wrong ones from this client. A right one always passes:
                keys are too long to be guessed, so the limit only keeps noise down.
        """
        try:
            return self.recognise(credential, cookie=cookie)
        except NotAuthenticated:
            wait_s = self._failures.take(client)
            if wait_s:
                raise _too_many("Too many wrong keys from this address.", wait_s) from None
            raise

    def recognise(self, credential: str | None, *, cookie: str | None = None) -> Caller | None:
        """Do as ``identify``, but do not count what is wrong: for who asks again if it is.

        Raises:
            NotAuthenticated: the key or token is wrong, revoked or expired.
        """
        ring = self._ring()
        if not self._keys_seen:
            return LOCAL
        if not credential:
            return self._cookie_caller(ring, cookie)
        return self._caller(ring, credential)

    def count(self, caller: Caller | None, client: str) -> None:
        """Count a request against its key, or its address where it has none.

        Raises:
            TooManyRequests: the limit a minute is used up; details carry ``retry_after_s``.
        """
        if caller is LOCAL or not self.keys_required:
            return
        wait_s = self._requests.take(caller.caller_id if caller else f"address {client}")
        if wait_s:
            raise _too_many("Too many requests for this key; try again later.", wait_s)

    def login(self, key: str, client: str) -> tuple[str, Session]:
        """Exchange an API key for a token that lives BOXSEEK_TOKEN_TTL_S seconds.

        Raises:
            NotAuthenticated: the key is wrong, or there are no keys and so no logins.
            TooManyRequests: too many wrong ones from this client.
        """
        if not self.keys_required:
            raise NotAuthenticated("This service has no keys; no login is needed.")
        # A token is no key: it must not buy itself another life.
        caller = self.identify(key if key.startswith(KEY_PREFIX) else KEY_PREFIX, client)
        if caller is None:
            raise NotAuthenticated("An API key or login is needed.")
        session = Session(caller.caller_id, caller.scope, int(self._clock()) + self.token_ttl_s)
        return make_token(self._ring(), session), session

    def sign(self, path: str, box: Sequence[float] | None = None) -> str:
        """Make the address of a picture, signed where keys are required.

        Args:
            path: ``/objects/{key}``, ``/thumbnails/{width}/{key}`` or ``/crops/{width}/{key}``.
            box: ``x1, y1, x2, y2`` pixels of the upright original, for crops.

        Returns:
            A relative address, or one below BOXSEEK_PROXY_PUBLIC_URL where that is set.
        """
        text = box_text(box) if box is not None else ""
        query = {"box": text} if box is not None else {}
        if self.keys_required:
            query |= sign_link(self._ring(), path, text, self._link_ttl_s, self._clock())
        return self._public_url + path + ("?" + urlencode(query, safe=",") if query else "")

    def check_link(self, path: str, box: str, *, expires: str, signature: str) -> None:
        """Accept a signed address.

        Args:
            path: of the request, without query.
            box: as ``box_text`` writes it; empty where there is none.
            expires: the query parameter, seconds since the epoch.
            signature: the query parameter.

        Raises:
            NotAuthenticated: unsigned, altered or expired.
        """
        if not (expires.isascii() and expires.isdigit() and len(expires) <= MAX_EXPIRES_DIGITS):
            raise NotAuthenticated("The link's expiry is not a time.")
        check_link(self._ring(), path, box, expires=expires, signature=signature, now=self._clock())

    def _cookie_caller(self, ring: KeyRing, cookie: str | None) -> Caller | None:
        if cookie is None or not cookie.startswith(TOKEN_PREFIX):
            return None
        try:
            return self._caller(ring, cookie)
        except NotAuthenticated:
            return None

    def _caller(self, ring: KeyRing, credential: str) -> Caller:
        if credential.startswith(TOKEN_PREFIX):
            session = read_token(ring, credential, self._clock())
            return Caller(session.key_id, session.scope)
        key = ring.find(credential)
        if key is None:
            raise NotAuthenticated("The API key is not valid.")
        return Caller(key.key_id, key.scope)

    def _ring(self) -> KeyRing:
        """Present keys; a keys file that turned unreadable lets nobody in."""
        try:
            ring = self.keys.ring()
        except SettingsError as exc:
            structlog.get_logger(__name__).exception("keys_unreadable", reason=exc.message)
            self._keys_seen = True
            return KeyRing()
        self._keys_seen = self._keys_seen or bool(ring.keys)
        return ring


def _too_many(message: str, wait_s: float) -> TooManyRequests:
    return TooManyRequests(message, retry_after_s=max(1, round(wait_s + 0.5)))
