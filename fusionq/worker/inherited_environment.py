"""Which of a worker's environment variables its jobs inherit: none that hold what is fusionq's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from fusionq.spec.notify import is_of_service
from fusionq.spec.settings import ENV_DATA, ENV_HOME

PREFIX = "FUSIONQ_"
NEEDED = (ENV_HOME, ENV_DATA)
# Of https://github.com/caronc/apprise/wiki: what an address for notifications begins with.
_NOTIFY_SCHEME = re.compile(
    r"(slack|discord|tgram|mailto|msteams|workflow|ntfy|pover|pbul|gotify|matrix|mmost|rocket|signal|twilio"
    r"|whatsapp|sendgrid|mailgun|pagerduty|opsgenie)s?"
)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns what jobs may see: not the password of Redis, nor the addresses that are notified."""
    return {name: value for name, value in environ.items() if _is_for_jobs(name, value)}


def _is_for_jobs(name: str, value: str) -> bool:
    if name.startswith(PREFIX):
        return name in NEEDED
    return not _is_notify_address(value)


def _is_notify_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(_NOTIFY_SCHEME.fullmatch(parts.scheme)) or is_of_service(parts.hostname or "")
