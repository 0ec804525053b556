"""What `status` shows: a table, one job, ids, JSON, a spec that can be submitted again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from fusionq.client import patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.streams import Streams
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, serving, started
from tests.support import ONE_JOB, now_ms

PROGRESS = {
    "kind": "progress",
    "phase": "train",
    "epoch": 2,
    "num_epochs": 4,
    "batch": 5,
    "num_batches": 10,
    "samples_per_s": 1000.0,
    "eta_s": 90.0,
    "values": {"train_loss": 0.5},
}


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def strict_json(text: str):
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


# --- all jobs --------------------------------------------------------------------------------------


def test_without_a_job_it_says_how_to_submit_one(cli: Cli):
    done = cli("status")
    assert (done.code, done.out) == (0, "")
    assert done.err == "no jobs yet; write one: fusionq init; submit it: fusionq submit job.yaml\n"
    assert strict_json(cli("status", "--json").out) == {"version": 1, "jobs": []}
    assert cli("status", "-q").out == ""


def test_the_table_has_a_line_for_each_job(cli: Cli, store):
    finished(store, "aaa")
    started(store, "bbb", name="second")
    queued(store, "ccc")
    done = cli("status")
    assert done.code == 0
    header, *lines = rows(done.out)
    assert header[:3] == ["ID", "NAME", "STATUS"]
    assert [line[:3] for line in lines] == [
        ["aaa", "tiny", "succeeded"],
        ["bbb", "second", "running"],
        ["ccc", "tiny", "queued"],
    ]


def test_in_a_pipe_nothing_is_cut_and_nothing_is_coloured(cli: Cli, store):
    reason = "it went wrong in a way that takes many words, " * 5 + "as said"
    finished(store, "aaa", Outcome.FAILED, reason=reason)
    out = cli("status").out
    assert "\x1b" not in out
    assert reason in out


def test_brackets_in_a_name_or_a_reason_are_shown_as_they_are(cli: Cli, store):
    finished(store, "aaa", Outcome.FAILED, reason="IndexError: x[0] [/red]")
    assert "IndexError: x[0] [/red]" in cli("status").out


def test_only_the_newest_are_shown_and_the_rest_is_counted(cli: Cli, store):
    for number in range(5):
        queued(store, f"j{number}")
    done = cli("status", "-n", "2")
    assert [line[0] for line in rows(done.out)[1:]] == ["j3", "j4"]
    assert done.err == "the newest 2 of 5 jobs; -n shows more\n"


def test_quiet_prints_ids_alone(cli: Cli, store):
    queued(store, "aaa")
    queued(store, "bbb")
    done = cli("status", "-q")
    assert (done.out, done.err) == ("aaa\nbbb\n", "")
    assert cli("ps", "-q", "bbb").out == "bbb\n"


# --- why it waits ----------------------------------------------------------------------------------


def test_a_pending_job_says_that_no_worker_is_alive_and_how_to_start_one(cli: Cli, store):
    queued(store, "aaa")
    assert "no worker is alive; start one: fusionq worker" in cli("status").out
    assert "no worker is alive; start one: fusionq worker" in cli("status", "aaa").out
    (shown,) = strict_json(cli("status", "aaa", "--json").out)["jobs"]
    assert shown["waits_for"] == "no worker is alive; start one: fusionq worker"


def test_a_job_of_another_queue_that_is_looked_at_is_not_far_down(cli: Cli, store):
    serving(store)
    for number in range(205):
        queued(store, f"j{number:03}", queue="other")
    queued(store, "aaa")
    assert strict_json(cli("status", "aaa", "--json").out)["jobs"][0]["waits_for"] == ""


def test_a_pending_job_with_a_free_worker_is_about_to_start(cli: Cli, store):
    serving(store)
    queued(store, "aaa")
    assert "about to start" in cli("status").out


def test_a_job_far_down_the_queue_is_not_about_to_start(cli: Cli, store):
    serving(store)
    for number in range(205):
        queued(store, f"j{number:03}")
    done = cli("status", "-n", "1")
    assert "about to start" not in done.out
    assert "ahead of it" in done.out


def test_a_job_that_went_back_says_why_and_what_it_waits_for(cli: Cli, store):
    started(store, "aaa")
    store.redis.delete(keys.WORKERS)
    store.jobs.requeue("aaa", 1, "its worker was lost")
    out = cli("status").out
    assert "its worker was lost; no worker is alive; start one: fusionq worker" in out


# --- one job ---------------------------------------------------------------------------------------


def test_one_job_is_shown_with_all_that_is_known(cli: Cli, store):
    started(store, "abcd", priority=3, user="me", tags='["x", "y"]')
    store.jobs.note_progress("abcd", PROGRESS)
    store.jobs.note_warning("abcd", "other data")
    done = cli("status", "ab")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in done.out.splitlines()}
    assert lines["status"] == "running"
    assert lines["warning"] == "other data"
    assert "why" not in lines
    assert lines["values"] == "train_loss 0.5"
    assert lines["progress"] == "ep 2/4 ▕██▎ ▏ 38 % 1m 30s left"  # as split at its blanks
    assert lines["queue"] == "default, priority 3"
    assert lines["worker"] == "worker on host"
    assert lines["tags"] == "x, y"
    assert lines["user"] == "me"
    assert "follow it: fusionq logs abcd -f" in done.err


def test_a_job_that_is_being_stopped_says_so(cli: Cli, store):
    started(store, "aaa")
    store.jobs.hold("aaa", "me")
    assert "saves its state and leaves its worker" in cli("status").out
    store.jobs.cancel("aaa", "")
    assert "is being cancelled" in cli("status").out


def test_a_failed_job_shows_the_last_lines_of_its_log(cli: Cli, store):
    text = "".join(f"line {number}\n" for number in range(30))
    finished(store, "aaa", Outcome.FAILED, reason="ValueError: odd", text=text)
    out = cli("status", "aaa").out
    assert out.endswith("\nfailed: ValueError: odd\n"), "the reason stands last"
    assert "last lines of its log" in out
    assert "    line 29\n" in out
    assert "line 17\n" not in out


def test_a_failed_job_shows_the_class_of_its_failure_and_what_to_do_about_it(cli: Cli, store):
    finished(store, "aaa", Outcome.FAILED, reason="no room", failure="disk_full")
    done = cli("status", "aaa")
    assert "failure    disk_full" in done.out
    assert "make room (fusionq clean), then go on from its last checkpoint: fusionq retry aaa" in done.err
    assert "aaa" in cli("status", "--failure", "disk_full").out
    assert "no jobs match" in cli("status", "--failure", "oom").err


def test_a_job_that_succeeded_shows_its_result(cli: Cli, store):
    result = {"best_epoch": 3, "monitor": "test_accuracy", "best_value": 0.97531, "values": {}}
    finished(store, "aaa", result=result)
    assert "best test_accuracy 0.9753" in cli("status").out
    out = cli("status", "aaa").out
    assert "epoch 3, test_accuracy 0.9753" in out
    assert "last lines" not in out


def test_a_job_is_found_by_its_name_and_as_the_last_one(cli: Cli, store):
    queued(store, "aaa", name="mine")
    queued(store, "bbb")
    assert cli("status", "mine", "-q").out == "aaa\n"
    assert cli("status", "last", "-q").out == "bbb\n"


# --- for programs ----------------------------------------------------------------------------------


def test_json_has_iso_times_and_null_for_those_to_come(cli: Cli, store):
    started(store, "aaa")
    (shown,) = strict_json(cli("status", "--json").out)["jobs"]
    assert shown["id"] == "aaa"
    assert (shown["state"], shown["outcome"]) == ("running", None)
    submitted = datetime.fromisoformat(shown["submitted_at"])
    assert submitted.utcoffset() == timedelta(0)
    assert abs(submitted.timestamp() - store.jobs.get("aaa").submitted_at) < 0.001
    assert datetime.fromisoformat(shown["started_at"])
    assert shown["finished_at"] is None


def test_json_of_one_job_is_a_list_of_one(cli: Cli, store):
    finished(store, "aaa", Outcome.CANCELLED, reason="changed my mind")
    (shown,) = strict_json(cli("status", "aaa", "--json").out)["jobs"]
    assert (shown["outcome"], shown["reason"]) == ("cancelled", "changed my mind")


def test_json_stays_json_where_a_value_is_no_number(cli: Cli, store):
    started(store, "aaa")
    values = {"train_loss": float("nan"), "other": [float("inf"), 1.0]}
    store.jobs.note_progress("aaa", {**PROGRESS, "values": values})
    (shown,) = strict_json(cli("status", "aaa", "--json").out)["jobs"]
    assert shown["progress"]["values"] == {"train_loss": None, "other": [None, 1.0]}


def test_the_spec_is_a_file_that_can_be_submitted_again(cli: Cli, store):
    queued(store, "aaa")
    done = cli("status", "aaa", "--spec")
    assert from_yaml(done.out) == from_yaml(ONE_JOB)
    assert done.err == ""


def test_options_choose_the_jobs_that_are_shown(cli: Cli, store, job_file):
    finished(store, "aaa", Outcome.FAILED, tags='["x"]')
    finished(store, "bbb", Outcome.FAILED)
    queued(store, "ccc", tags='["x"]')
    sweep = cli("submit", job_file, "optimizer.lr=1,2").out.strip()
    assert cli("status", "-q", "--state", "failed").out.split() == ["aaa", "bbb"]
    assert cli("status", "-q", "--tag", "x").out.split() == ["aaa", "ccc"]
    assert cli("status", "-q", "--sweep", sweep).out.split() == [f"{sweep}-1", f"{sweep}-2"]
    done = cli("status", "--state", "failed", "-n", "1")
    assert "bbb" in done.out
    assert "aaa" not in done.out
    assert "the newest 1 that match" in done.err
    assert cli("status", "--user", "nobody").err == "no jobs match\n"
    assert cli("status", "aaa", "--tag", "x").code == 2
    assert len(rows(cli("status", "--all").out)) == 1 + 4  # a sweep is one of them
    assert len(cli("status", "--all", "-q", "--queue", "default", "-n", "1").out.split()) == 5
    assert cli("status", "aaa", "--all").code == 2


def test_only_what_was_submitted_in_the_last_while(cli: Cli, store):
    for job_id in ("aaa", "bbb", "ccc"):
        queued(store, job_id)
    store.redis.hset(keys.job("aaa"), "submitted_at", 1)
    store.redis.hset(keys.job("bbb"), "submitted_at", now_ms(store) - 3_600_000)
    assert cli("status", "-q", "--since", "10m").out.split() == ["ccc"]
    assert cli("status", "-q", "--since", "2h").out.split() == ["bbb", "ccc"]
    bad = cli("status", "--since", "soon")
    assert (bad.code, "--since: " in bad.err) == (2, True)


def test_a_job_that_runs_shows_its_metric_and_the_time_left_in_columns(cli: Cli, store):
    started(store, "aaa")
    store.jobs.note_progress("aaa", {**PROGRESS, "values": {"train_loss": 0.5, "test_acc": 0.9}})
    store.jobs.note_warning("aaa", "other data")
    header, line = cli("status").out.splitlines()
    assert header.split() == [
        "ID",
        "NAME",
        "STATUS",
        "PROGRESS",
        "METRIC",
        "TIME",
        "LEFT",
        "WORKER",
        "AGE",
        "NOTE",
    ]
    assert line[header.index("METRIC") :].startswith("test_acc 0.9  ")
    assert line[header.index("LEFT") :].startswith("1m 30s")
    assert line.endswith("other data")


def test_a_table_that_changes_needs_a_terminal(cli: Cli, store):
    for arguments in ((), ("last",)):
        done = cli("status", "--watch", *arguments)
        assert (done.code, "--watch shows the table of jobs in a terminal" in done.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [("-q", "--json"), ("--json", "--watch"), ("last", "--spec", "--watch"), ("last", "--spec", "-q")],
)
def test_there_is_one_way_to_show_jobs_at_a_time(cli: Cli, store, arguments: tuple[str, ...]):
    queued(store, "aaa")
    done = cli("status", *arguments)
    assert (done.code, done.err) == (
        2,
        "fusionq: -q, --json, --watch and --spec are ways to show it; give one of them\n",
    )


def test_the_table_that_changes_has_its_order_and_its_columns(cli: Cli, store, monkeypatch):
    def stop(self: Streams, seen: str, block_s: float):
        raise KeyboardInterrupt

    queued(store, "aaa", name="second")
    queued(store, "bbb", name="first")
    monkeypatch.setattr(Streams, "changes", stop)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    out = cli("status", "--watch", "--sort", "name", "--columns", "name").out
    assert out.index("first") < out.index("second")
    assert "aaa" not in out


def test_the_table_that_changes_shows_the_last_rows_where_not_all_have_room(cli: Cli, store, monkeypatch):
    def stop(self: Streams, seen: str, block_s: float):
        raise KeyboardInterrupt

    for number in range(20):
        queued(store, f"job{number:02}")
    monkeypatch.setattr(Streams, "changes", stop)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("LINES", "12")
    monkeypatch.setenv("COLUMNS", "80")
    out = cli("status", "--watch").out
    assert "job19" in out
    assert "job15" not in out


def test_the_table_is_drawn_anew_until_ctrl_c(cli: Cli, store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(patience, "RETRY_S", 0.001)
    looks = []

    def change(self: Streams, seen: str, block_s: float):
        looks.append(seen)
        if len(looks) == 1:
            queued(store, "bbb", name="second")
            return seen, []
        if len(looks) == 2:
            raise StoreUnavailableError("no connection")
        raise KeyboardInterrupt

    queued(store, "aaa", name="first")
    monkeypatch.setattr(Streams, "changes", change)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    done = cli("status", "--watch")
    assert done.code == 130
    assert len(looks) == 3
    assert "first" in done.out
    assert "second" in done.out


def test_ps_shows_what_has_not_ended(cli: Cli, store):
    finished(store, "over")
    queued(store, "next")
    assert cli("ps", "-q").out.split() == ["next"]
    assert cli("ps", "-a", "-q").out.split() == ["over", "next"]
    assert cli("status", "-q").out.split() == ["over", "next"]


def test_rows_are_sorted_and_columns_chosen(cli: Cli, store):
    queued(store, "aaa", name="zebra")
    queued(store, "bbb", name="ant")
    head, *lines = cli("status", "--sort", "name", "--columns", "name,id").out.splitlines()
    assert head.split() == ["NAME", "ID"]
    assert [line.split() for line in lines] == [["ant", "bbb"], ["zebra", "aaa"]]
    assert "there is no column 'nmae'; did you mean 'NAME'?" in cli("status", "-o", "nmae").err


def test_states_are_taken_as_the_table_writes_them(cli: Cli, store):
    assert cli("status", "--state", "timed out").code == 0
    assert "held jobs are waiting: --state waiting" in cli("status", "--state", "held").err


def test_the_metric_of_a_running_job_is_the_best_monitored_one_in_every_phase(cli: Cli, store):
    started(store, "aaa")
    for phase, values in (("train", {"train_accuracy": 0.7}), ("test", {"test_loss": 0.4})):
        event = {**PROGRESS, "phase": phase, "values": values, "best": {"test_accuracy": 0.95}}
        store.jobs.note_progress("aaa", event)
        assert "best test_accuracy 0.95" in cli("status").out
