"""Who is told of a job, and of what: the `notify` key of the job file."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from fusionq.spec.section import Section

Event = Literal["started", "succeeded", "failed", "cancelled", "timed_out"]

FROM_ENVIRONMENT = "env:"
WEBHOOK_SCHEMES = ("http", "https")
# Services whose addresses are their passwords; Apprise knows how to talk to them.
SERVICES = ("hooks.slack.com", "discord.com", "discordapp.com", "api.telegram.org")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INSTEAD = "put it into the environment of the workers, and write url: env:NAME"


def check_url(text: str) -> str:
    """The text, where it is `env:NAME`, or an address that holds no secret. Raises ValueError.

    Job files are stored as they are: what stands in them is read by whoever reads the queue.
    """
    if text.startswith(FROM_ENVIRONMENT):
        if not _VARIABLE.fullmatch(text.removeprefix(FROM_ENVIRONMENT)):
            raise ValueError("behind env: comes the name of an environment variable, such as env:SLACK_URL")
        return text
    parts = urlsplit(text)
    if not parts.scheme or not parts.hostname:
        raise ValueError("not an address such as https://box/hook, nor env:NAME")
    if parts.scheme not in WEBHOOK_SCHEMES or parts.hostname in SERVICES:
        raise ValueError(f"this address holds a secret, which would be stored in the clear; {_INSTEAD}")
    if parts.username or parts.password or parts.query:
        raise ValueError(f"a user, a password or a query would be stored in the clear; {_INSTEAD}")
    return text


class NotifySection(Section):
    """Somebody who is told."""

    on: list[Event] = Field(
        default=["succeeded", "failed", "timed_out"],
        min_length=1,
        description="Of what: started, succeeded, failed, cancelled, timed_out.",
    )
    url: Annotated[str, AfterValidator(check_url)] = Field(
        description="Where to: env:NAME, a variable of the workers that holds the address of a webhook or "
        "one of Apprise; or an http(s) address without a secret. A webhook gets JSON.",
    )
