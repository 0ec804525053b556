"""Tells somebody of a job: JSON to a webhook, or words through Apprise (https://github.com/caronc/apprise)."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import fusionq
from fusionq.errors import FusionqError
from fusionq.spec.notify import SERVICES, WEBHOOK_SCHEMES
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.variables import is_reference, variable_of
from fusionq.store.notices import Notice

TIMEOUT_S = 10.0


class NotToldError(FusionqError):
    """Somebody could not be told; the words hold no address."""


def announce(
    url: str, notice: Notice, record: JobRecord | SweepRecord, environ: Mapping[str, str] = os.environ
) -> None:
    """Tell `url`, an address or env:NAME. Raises NotToldError."""
    address = _address(url, environ)
    parts = urlsplit(address)
    if parts.scheme in WEBHOOK_SCHEMES and parts.hostname not in SERVICES:
        _post(address, _payload(notice, record))
    else:
        _through_apprise(address, *_words(notice, record))


def _address(url: str, environ: Mapping[str, str]) -> str:
    if not is_reference(url):
        return url
    name = variable_of(url)
    if not environ.get(name):
        raise NotToldError(f"the worker's environment has no variable {name}")
    return environ[name]


def _payload(notice: Notice, record: JobRecord | SweepRecord) -> dict[str, Any]:
    """`id` is the same however often it is sent."""
    title, words = _words(notice, record)
    return {
        "id": notice.text,
        "event": notice.event,
        "time": notice.at,
        "text": f"{title}: {words}" if words else title,
        "job": {
            "id": record.id,
            "name": record.name,
            "state": record.state_word,
            "reason": getattr(record, "reason", ""),
            "user": record.user,
            "tags": list(record.tags),
            "queue": record.queue,
            "worker": getattr(record, "worker", ""),
            "attempt": getattr(record, "attempt", 0),
            "result": getattr(record, "result", {}),
        },
    }


def _words(notice: Notice, record: JobRecord | SweepRecord) -> tuple[str, str]:
    """A title, and what is worth knowing beside it."""
    title = f"{record.name} ({record.id}) {notice.event.replace('_', ' ')}"
    if isinstance(record, SweepRecord):
        if record.best_value is None:
            return title, ""
        return title, f"best {record.monitor} {record.best_value:.4g} ({record.best_trial})"
    if notice.event == "started":
        return title, f"on {record.worker}"
    result = record.result
    if result.get("best_epoch"):
        return title, f"best {result['monitor']} {result['best_value']:.4g} in epoch {result['best_epoch']}"
    return title, record.reason


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A server elsewhere must not lead the worker to an address that only it can reach."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(address: str, payload: Mapping[str, Any]) -> None:
    parts = urlsplit(address)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"fusionq/{fusionq.__version__}",
        **_authorization(parts),
    }
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    try:
        request = urllib.request.Request(plain, json.dumps(payload).encode(), headers, method="POST")
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S):
            pass
    except urllib.error.HTTPError as error:
        raise NotToldError(f"{parts.hostname} answered {error.code}") from None
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        raise NotToldError(f"{parts.hostname} cannot be reached: {type(cause).__name__}") from None


def _authorization(parts: SplitResult) -> dict[str, str]:
    """Returns the header for the user and the password of an address, which urllib does not read."""
    if parts.username is None:
        return {}
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


def _through_apprise(address: str, title: str, words: str) -> None:
    try:
        import apprise
    except ImportError:
        raise NotToldError(
            "this address needs apprise on the worker: pip install 'fusionq[notify]'"
        ) from None
    service = apprise.Apprise()
    scheme = urlsplit(address).scheme
    if not service.add(address):
        raise NotToldError(f"Apprise does not understand this address of {scheme}://")
    if not service.notify(title=title, body=words or title):
        raise NotToldError(f"{scheme}:// did not take it")
