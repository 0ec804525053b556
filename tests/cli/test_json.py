"""What `--json` prints is what its schema says, in one vocabulary."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from fusionq.cli.schema import OUTPUTS as VERBS
from fusionq.client.json_schema import OUTPUTS, VERSION
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, serving, started
from tests.store.swept import submit_sweep

EPOCH = {"kind": "epoch", "epoch": 1, "num_epochs": 2, "duration_s": 1.0, "values": {"train_loss": 0.5}}
RESULT = {"best_epoch": 1, "best_value": 0.9, "monitor": "test_accuracy", "mode": "max"}


def read(text: str, verb: str) -> dict[str, Any]:
    """The document, which its schema takes."""
    document = json.loads(text)
    jsonschema.Draft202012Validator(
        OUTPUTS[verb], format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(document)
    return document


@pytest.fixture
def jobs(store: Store) -> None:
    """Jobs in many states, and a sweep."""
    gpus = json.dumps([{"index": 0, "uuid": "u", "name": "A100", "memory_bytes": 80}])
    fields = {"host": "box", "pid": 7, "slots": 9, "accepting": 1, "gpus": gpus, "queues": '["default"]'}
    assert store.workers.register("big", "secret", 60, {**fields, "labels": '["site=berlin"]'})
    finished(store, "aaa", result=RESULT, tags='["x"]', wait_timeout=1000)
    finished(store, "bbb", Outcome.FAILED, reason="odd", failure="oom", gpu_memory=8)
    started(store, "ccc", needs='{"labels":["site=berlin"]}')
    store.jobs.note_progress("ccc", {**EPOCH, "values": {"train_loss": float("nan")}})
    store.streams.append_points("ccc", [{**EPOCH, "kind": "progress"}, EPOCH])
    queued(store, "ddd", gpus="2")
    queued(store, "eee", held="held by ada")
    submit_sweep(store, "sss", 2)


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(
    ("verb", "arguments", "key"),
    [
        ("status", (), "jobs"),
        ("status", ("--state", "failed"), "jobs"),
        ("compare", ("aaa", "bbb"), "jobs"),
        ("metrics", ("ccc",), "jobs"),
        ("workers", (), "workers"),
        ("queue", (), "queues"),
    ],
)
def test_the_output_is_what_the_schema_says(cli: Cli, verb: str, arguments: tuple[str, ...], key: str):
    document = read(cli(verb, *arguments, "--json").out, verb)
    assert document["version"] == VERSION
    assert document[key]


def test_a_submission_is_what_the_schema_says(cli: Cli, store: Store, job_file):
    read(cli("submit", job_file, "--json").out, "submit")
    read(cli("submit", job_file, "optimizer.lr=1,2", "--json").out, "submit")


@pytest.mark.usefixtures("jobs")
def test_states_are_the_same_words_everywhere(cli: Cli):
    listed = {job["id"]: job for job in read(cli("status", "--json").out, "status")["jobs"]}
    (compared,) = read(cli("compare", "bbb", "--json").out, "compare")["jobs"]
    assert (listed["bbb"]["state"], listed["bbb"]["outcome"]) == ("failed", "failed")
    assert (compared["state"], compared["outcome"]) == ("failed", "failed")
    assert (listed["ccc"]["state"], listed["ccc"]["outcome"]) == ("running", None)
    assert (listed["eee"]["state"], listed["eee"]["held_by"]) == ("waiting", "held by ada")
    assert isinstance(listed["aaa"]["duration_s"], float)
    assert compared["duration_s"] == listed["bbb"]["duration_s"]


@pytest.mark.usefixtures("jobs")
def test_nothing_internal_is_told(cli: Cli):
    text = "".join(cli(*verb, "--json").out for verb in (("status",), ("workers",), ("compare", "aaa")))
    for word in ("token", "secret", "sequence", '"life"', '"lane"', "digest"):
        assert word not in text


def test_programs_see_all_jobs_and_people_the_newest(cli: Cli, store: Store):
    serving(store)
    for number in range(25):
        queued(store, f"j{number:02}")
    assert len(cli("status", "-q").out.split()) == 25
    assert len(cli("status", "-q", "--state", "queued").out.split()) == 25
    assert len(json.loads(cli("status", "--json").out)["jobs"]) == 25
    assert cli("status", "-q", "-n", "3").out.split() == ["j22", "j23", "j24"]
    assert len(cli("status").out.splitlines()) == 21


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"stop": "drain"}, "draining"),
        ({"stop": "leave"}, "stopping"),
        ({"holding": "1"}, "holding"),
        ({"quarantine": "three in a row"}, "quarantined"),
        ({"problem": "its disk is full"}, "no room"),
        ({}, "ready"),
        ({"accepting": "0"}, "starting"),
    ],
)
def test_every_state_of_a_worker_is_in_the_schema(cli: Cli, store: Store, fields: dict[str, str], state: str):
    serving(store)
    if fields:
        store.redis.hset(keys.worker("w"), mapping=fields)
    (worker,) = read(cli("workers", "--json").out, "workers")["workers"]
    assert worker["state"] == state
    assert worker["problem"] == fields.get("problem", "")


def test_the_schemas_are_printed(cli: Cli):
    assert set(VERBS) == set(OUTPUTS)
    for verb, schema in OUTPUTS.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads(cli("schema", "--of", verb).out) == schema
