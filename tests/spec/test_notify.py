"""`notify`: whom, of what; and no secret in a job file."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import from_yaml
from tests.support import ONE_JOB


def notify(text: str):
    return from_yaml(f"{ONE_JOB}notify: {text}\n").notify


def test_it_is_a_list_of_whom_and_of_what():
    first, second = notify("[{url: 'https://box/hook'}, {url: env:SLACK_URL, on: [started]}]")
    assert first.on == ["succeeded", "failed", "timed_out"]
    assert (second.on, second.url) == (["started"], "env:SLACK_URL")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("slack://TokenA/TokenB/TokenC", "holds a secret"),
        ("https://hooks.slack.com/services/T0/B0/TokenC", "holds a secret"),
        ("https://canary.discord.com/api/webhooks/1/TokenC", "holds a secret"),
        ("https://org.webhook.office.com./webhookb2/TokenC", "holds a secret"),
        ("https://ada:TokenC@box/hook", "would be stored in the clear"),
        ("https://box/hook?key=TokenC", "would be stored in the clear"),
        ("box/hook", "not an address"),
        ("env:", "name of an environment variable"),
        ("env:A-B", "name of an environment variable"),
    ],
)
def test_an_address_with_a_secret_is_refused_with_what_to_do(url: str, words: str):
    with pytest.raises(SpecError, match=words) as caught:
        notify(f"[{{url: '{url}'}}]")
    [problem] = caught.value.problems
    assert "notify.0.url" in str(problem)


def test_an_unknown_event_is_named():
    with pytest.raises(SpecError, match="finished"):
        notify("[{url: env:A, on: [finished]}]")
