"""Tells a web server of one's own what became of a document: a signed POST that follows no redirect."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import time
from contextlib import closing
from dataclasses import asdict
from urllib.parse import urlsplit

from shared.domain import Notice
from shared.errors import ConfigurationError, LockstepError, StoreUnavailableError
from shared.resilience import Circuit, call_with_retries

TIMEOUT_SECONDS = 5.0
ATTEMPTS = 2
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class WebhookNotifier:
    """The port `Notifier`. Raises ConfigurationError for a URL that is neither https nor on this machine."""

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        ):
            raise ConfigurationError("LOCKSTEP_WEBHOOK_URL must begin with https:// (http:// only for 127.0.0.1).")
        if not secret:
            raise ConfigurationError("LOCKSTEP_WEBHOOK_SECRET is not set: notices are signed with it.")
        self._is_secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secret = secret.encode()
        self._circuit = Circuit("webhook")

    def notify(self, notice: Notice) -> None:
        body = json.dumps(asdict(notice), ensure_ascii=False, default=str).encode()
        call_with_retries(self._circuit, lambda: self._post(body), attempts=ATTEMPTS)

    def _post(self, body: bytes) -> None:
        try:
            with closing(self._connection()) as connection:
                connection.request("POST", self._path, body, self._headers(body))
                status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnavailableError(f"The webhook did not answer ({type(error).__name__}).") from error
        if status >= 500 or status == 429:
            raise StoreUnavailableError(f"The webhook answered {status}.")
        if not 200 <= status < 300:
            raise LockstepError(f"The webhook answered {status}, where 2xx means that it has understood.")

    def _connection(self) -> http.client.HTTPConnection:
        if self._is_secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_SECONDS, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)

    def _headers(self, body: bytes) -> dict[str, str]:
        moment = str(int(time.time()))
        return {
            "Content-Type": "application/json",
            "X-Lockstep-Timestamp": moment,
            "X-Lockstep-Signature": signature_of(self._secret, moment, body),
        }


def signature_of(secret: bytes, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC of timestamp, full stop and body: what a receiver computes too, and compares."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
