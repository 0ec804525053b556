"""Who is told of a job, and of what: the `notify` key of the job file."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from fusionq.spec.section import Section
from fusionq.spec.text_values import AS_LIST
from fusionq.spec.variables import is_reference, variable_of

Event = Literal["started", "succeeded", "failed", "cancelled", "timed_out"]

WEBHOOK_SCHEMES = ("http", "https")
# Services whose addresses are their passwords, at these hosts and those below them.
SERVICES = ("hooks.slack.com", "discord.com", "discordapp.com", "api.telegram.org", "webhook.office.com")

_INSTEAD = "put it into the environment of the workers, and write url: env:NAME"


def check_url(text: str) -> str:
    """The text, where it is `env:NAME`, or an address that holds no secret. Raises ValueError.

    Job files are stored as they are: what stands in them is read by whoever reads the queue.
    """
    if is_reference(text):
        variable_of(text)
        return text
    parts = urlsplit(text)
    if not parts.scheme or not parts.hostname:
        raise ValueError("not an address such as https://box/hook, nor env:NAME")
    if parts.scheme not in WEBHOOK_SCHEMES or is_of_service(parts.hostname):
        raise ValueError(f"this address holds a secret, which would be stored in the clear; {_INSTEAD}")
    if parts.username or parts.password or parts.query:
        raise ValueError(f"a user, a password or a query would be stored in the clear; {_INSTEAD}")
    return text


def is_of_service(host: str) -> bool:
    """Returns whether addresses at this host are their own passwords."""
    return any(f".{host.rstrip('.')}".endswith(f".{service}") for service in SERVICES)


class NotifySection(Section):
    """Somebody who is told."""

    on: Annotated[list[Event], AS_LIST] = Field(
        default=["succeeded", "failed", "timed_out"],
        min_length=1,
        description="Of what: started, succeeded, failed, cancelled, timed_out.",
    )
    url: Annotated[str, AfterValidator(check_url)] = Field(
        description="Where to: env:NAME, a variable of the workers that holds the address of a webhook or "
        "one of Apprise; or an http(s) address without a secret. A webhook gets JSON.",
    )
