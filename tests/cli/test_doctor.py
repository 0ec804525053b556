"""`doctor` prints what it finds, and its exit code says whether anything is wrong."""

from __future__ import annotations

from fusionq.client.doctor import finding
from tests.cli.conftest import Cli
from tests.cli.test_json import read


def test_without_a_problem_the_exit_code_is_0(cli: Cli, store, monkeypatch):
    monkeypatch.setattr("fusionq.client.doctor.places.LEAST_FREE", 0)
    done = cli("doctor")
    assert (done.code, done.err) == (0, "")
    assert "ok       redis" in done.out
    assert "-> start one: fusionq worker" in done.out


def test_a_problem_makes_it_1(cli: Cli, store, monkeypatch):
    found = [finding.problem("disk", "full", "make room"), finding.ok("redis", "here")]
    monkeypatch.setattr("fusionq.client.doctor.examine", lambda settings: iter(found))
    done = cli("doctor")
    assert done.code == 1
    assert done.out == "problem  disk   full\n                -> make room\nok       redis  here\n"


def test_as_json_each_finding_is_an_object(cli: Cli, store):
    told = read(cli("doctor", "--json").out, "doctor")["findings"]
    assert {"check", "state", "message", "hint"} == set(told[0])
    assert told[0]["check"] == "redis"
