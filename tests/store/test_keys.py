"""Every Redis key, as other programs and older versions know it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fusionq.store import keys
from fusionq.store.scripts import source


def test_every_single_key_is_pinned():
    assert keys.SINGLE == {
        "jobs": "fusionq:jobs",
        "rows": "fusionq:rows",
        "job_ids": "fusionq:job_ids",
        "names": "fusionq:names",
        "sequence": "fusionq:sequence",
        "tally": "fusionq:tally",
        "lost_attempts": "fusionq:lost_attempts",
        "queue_jobs": "fusionq:queue_jobs",
        "lanes": "fusionq:lanes",
        "usage": "fusionq:usage",
        "paused": "fusionq:paused",
        "policy": "fusionq:policy",
        "waiting": "fusionq:waiting",
        "overdue": "fusionq:overdue",
        "assigned": "fusionq:assigned",
        "leases": "fusionq:leases",
        "workers": "fusionq:workers",
        "events": "fusionq:events",
        "wanted": "fusionq:wanted",
        "again": "fusionq:again",
        "pass_lock": "fusionq:pass_lock",
        "reap_lock": "fusionq:reap_lock",
        "notices": "fusionq:notices",
        "notice_tries": "fusionq:notice_tries",
        "identity": "fusionq:identity",
    }


def test_every_constant_names_its_key():
    constants = {
        name: value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)
    }
    assert constants == {
        "PREFIX": "fusionq:",
        "CELERY_PREFIX": "fusionq:celery:",
        "JOBS": "fusionq:jobs",
        "ROWS": "fusionq:rows",
        "JOB_IDS": "fusionq:job_ids",
        "NAMES": "fusionq:names",
        "QUEUE_JOBS": "fusionq:queue_jobs",
        "TALLY": "fusionq:tally",
        "LOST_ATTEMPTS": "fusionq:lost_attempts",
        "LANES": "fusionq:lanes",
        "USAGE": "fusionq:usage",
        "PAUSED": "fusionq:paused",
        "POLICY": "fusionq:policy",
        "WAITING": "fusionq:waiting",
        "OVERDUE": "fusionq:overdue",
        "ASSIGNED": "fusionq:assigned",
        "LEASES": "fusionq:leases",
        "WORKERS": "fusionq:workers",
        "EVENTS": "fusionq:events",
        "WANTED": "fusionq:wanted",
        "AGAIN": "fusionq:again",
        "PASS_LOCK": "fusionq:pass_lock",
        "REAP_LOCK": "fusionq:reap_lock",
        "NOTICES": "fusionq:notices",
        "NOTICE_TRIES": "fusionq:notice_tries",
        "IDENTITY": "fusionq:identity",
        "NO_KEY": "fusionq:none",
    }


def test_every_key_with_a_name_in_it_is_pinned():
    assert {name: getattr(keys, name)("x") for name in keys.BY_NAME} == {
        "job": "fusionq:job:x",
        "spec": "fusionq:spec:x",
        "log": "fusionq:log:x",
        "metrics": "fusionq:metrics:x",
        "blob": "fusionq:blob:x",
        "blob_users": "fusionq:blob_users:x",
        "sweep": "fusionq:sweep:x",
        "scores": "fusionq:scores:x",
        "backlog": "fusionq:backlog:x",
        "turns": "fusionq:turns:x",
        "parents": "fusionq:parents:x",
        "children": "fusionq:children:x",
        "same": "fusionq:same:x",
        "takers": "fusionq:takers:x",
        "staging": "fusionq:staging:x",
        "pending": "fusionq:pending:x",
        "worker": "fusionq:worker:x",
        "worker_jobs": "fusionq:worker_jobs:x",
        "gang": "fusionq:gang:x",
        "worker_gpus": "fusionq:worker_gpus:x",
        "clean_lock": "fusionq:clean_lock:x",
        "transfer": "fusionq:transfer:x",
        "command": "fusionq:command:x",
        "listener": "fusionq:listener:x",
        "command_input": "fusionq:command_input:x",
        "check": "fusionq:check:x",
        "check_answer": "fusionq:check_answer:x",
    }
    assert keys.stop_channel("w") == "fusionq:stop:w"
    assert keys.result("x") == "fusionq:celery:celery-task-meta-x"


def test_the_scripts_get_the_same_spellings():
    lua = keys.to_lua()
    for name, key in keys.SINGLE.items():
        assert f"K.{name} = '{key}'" in lua
    for name in keys.BY_NAME:
        assert f"function K.{name}(x) return '{getattr(keys, name)('')}' .. x end" in lua


def test_every_key_is_in_the_table_that_says_how_long_it_lives():
    table = {
        name for row in re.findall(r"^\| ([a-z_, ]+?) +\|", keys.__doc__, re.M) for name in row.split(", ")
    }
    assert table - {"key"} == {*keys.SINGLE, *keys.BY_NAME}


SCRIPTS = sorted(file.stem for file in (Path(keys.__file__).parent / "scripts").glob("[!_]*.lua"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_spells_a_key_of_its_own(name):
    text = source(name)
    used = set(re.findall(r"\bK\.([a-z_]+)", text))
    assert used <= {*keys.SINGLE, *keys.BY_NAME}
    assert text.replace(keys.NO_KEY, "").count("fusionq:") == keys.to_lua().count("fusionq:")
