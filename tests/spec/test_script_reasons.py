"""What scripts store of why a job waits or ended is a sentence for people."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

from fusionq.spec.script_reasons import SENTENCES, reason_text


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        (["time"], "waits for its time"),
        (["turn", 1], "waits for its turn: 1 trial of its sweep runs at once"),
        (["turn", 2], "waits for its turn: 2 trials of its sweep run at once"),
        (["parents", "abc", "my job", 0, True], "waits for abc (my job)"),
        (["parents", "abc", "my job", 2, False], "waits for abc (my job) and 2 more"),
        (["parents", "abc", "my job", 2, True], "waits for one of abc (my job) and 2 more"),
        (
            ["parent_ended", "sweep", "abc", "mine", "timed_out"],
            "the sweep that it waits for, abc (mine), ran out of time",
        ),
        (["no_worker", 43_200_000], "waited longer than 12h 00m for a worker"),
        (["worker_out_of_order", "box {1}"], "the worker box {1} was out of order"),
    ],
)
def test_a_code_with_its_arguments_is_a_sentence(stored: list, sentence: str):
    assert reason_text(json.dumps(stored)) == sentence


@pytest.mark.parametrize(
    "text",
    ["", "held by ada", '["', '["unknown"]', '["turn"]', '["parent_ended", "job", "a", "b", "?"]', '[["a"]]'],
)
def test_what_is_no_code_stays_as_it_is(text: str):
    assert reason_text(text) == text


def test_scripts_store_the_codes_that_are_known_and_no_others():
    folder = resources.files("fusionq.store").joinpath("scripts")
    text = "\n".join(file.read_text(encoding="utf-8") for file in folder.iterdir())
    assert set(re.findall(r"because\('(\w+)'", text)) == set(SENTENCES)
