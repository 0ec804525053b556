"""A sweep on the command line: one row, one id, and its trials beneath."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from tests.cli.conftest import Cli
from tests.support import assigned, register, running

LRS = "optimizer.lr=1e-1,1e-2,1e-3"


@pytest.fixture
def sweep(cli: Cli, job_file: Path) -> str:
    """The id of a sweep of three trials that nobody has begun."""
    return cli("submit", job_file, LRS).out.strip()


def end(store: Store, job_id: str, value: float | None, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """A worker runs the job to its end."""
    register(store, slots=100)
    running(store, job_id)
    result = {"monitor": "test_accuracy", "mode": "max", "best_value": value, "best_epoch": 2, "values": {}}
    reason = "" if outcome is Outcome.SUCCEEDED else "ValueError: odd"
    assert store.jobs.finish(job_id, 1, outcome, reason, result if value is not None else None)


def test_a_sweep_has_one_id_and_says_what_to_do_with_it(cli: Cli, store: Store, job_file: Path):
    done = cli("submit", job_file, LRS)
    sweep = done.out.strip()
    assert done.out == f"{sweep}\n"
    assert "tiny is a sweep of 3 trials in the queue 'default'" in done.err
    assert f"fusionq compare {sweep}" in done.err
    assert [trial.params for trial in store.sweeps.trials(sweep)] == [
        {"optimizer.lr": 0.1}, {"optimizer.lr": 0.01}, {"optimizer.lr": 0.001}
    ]  # fmt: skip
    assert store.jobs.spec(f"{sweep}-2")["optimizer"]["lr"] == 0.01


def test_where_one_trial_is_wrong_none_is_queued(cli: Cli, store: Store, job_file: Path):
    assert cli("submit", job_file, "train.epochs=1,0").code == 2
    assert store.num_rows() == 0


def test_it_is_one_row_with_its_counts_and_its_best(cli: Cli, store: Store, sweep: str):
    _, row = cli("status").out.splitlines()
    assert row.split()[:5] == [sweep, "tiny", "queued", "0/3", "trials"]
    assert "0 of 3 done, 3 queued; no worker is alive; start one: fusionq worker" in row
    end(store, f"{sweep}-1", 0.5)
    end(store, f"{sweep}-2", 0.75)
    end(store, f"{sweep}-3", None, Outcome.FAILED)
    row = cli("status").out.splitlines()[1]
    assert row.split()[:5] == [sweep, "tiny", "failed", "3/3", "trials"]
    assert f"best test_accuracy 0.75 ({sweep}-2)" in row
    assert row.endswith("2 of 3 done, 1 failed")


def test_its_trials_are_listed_on_request(cli: Cli, store: Store, sweep: str):
    end(store, f"{sweep}-2", 0.75)
    done = cli("status", sweep[:4])
    assert f"best       test_accuracy 0.75 ({sweep}-2): optimizer.lr=0.01" in done.out
    rows = [line.split() for line in done.out.splitlines() if line.startswith(f"{sweep}-")]
    assert [row[:3] for row in rows] == [
        [f"{sweep}-1", "lr=0.1", "queued"],
        [f"{sweep}-2", "lr=0.01", "succeeded"],
        [f"{sweep}-3", "lr=0.001", "queued"],
    ]
    assert f"fusionq cancel {sweep}" in done.err
    assert cli("status", sweep, "-q").out.split() == [f"{sweep}-{k}" for k in (1, 2, 3)]
    assert cli("status", "-q").out == f"{sweep}\n"
    assert "sweep" in cli("status", f"{sweep}-2").out


def test_json_of_a_sweep_holds_its_counts(cli: Cli, sweep: str):
    (shown,) = json.loads(cli("status", sweep, "--json").out)["jobs"]
    assert (shown["id"], shown["state"], shown["total"], shown["counts"]) == (
        sweep,
        "queued",
        3,
        {"queued": 3},
    )


def test_the_spec_of_a_sweep_is_a_file_that_can_be_submitted_again(cli: Cli, store: Store, sweep: str):
    Path("again.yaml").write_text(cli("status", sweep, "--spec").out)
    again = cli("submit", "again.yaml").out.strip()
    assert len(store.sweeps.trials(again)) == 3


def test_it_is_cancelled_as_one(cli: Cli, store: Store, sweep: str):
    end(store, f"{sweep}-1", 0.5)
    done = cli("cancel", sweep)
    assert done.code == 0
    assert "1 of 3 done, 2 cancelled" in done.err
    done = cli("cancel", sweep)
    assert (done.code, done.err.startswith(f"fusionq: {sweep} has ended already")) == (7, True)


def test_its_logs_are_the_last_lines_of_each_trial(cli: Cli, store: Store, sweep: str):
    for number in (1, 2):
        text = "".join(f"line {line} of {number}\n" for line in range(20))
        store.streams.append_log(f"{sweep}-{number}", 1, 0, len(text), text)
    done = cli("logs", sweep, "--lines", "2")
    assert done.out.splitlines()[:3] == [
        f"==> tiny ({sweep}-1)  queued  optimizer.lr=0.1",
        "line 18 of 1",
        "line 19 of 1",
    ]
    assert "line 19 of 2" in done.out
    assert cli("logs", sweep, "-f").code == 2


def test_why_of_a_sweep_sums_up_its_trials(cli: Cli, store: Store, sweep: str):
    said = cli("why", sweep).out
    assert said.startswith(f"tiny ({sweep}) queued: 0 of 3 done, 3 queued; the next trial no worker is alive")
    register(store, slots=2)
    for number in (1, 2):
        job_id = f"{sweep}-{number}"
        store.jobs.finish(job_id, running(store, job_id), Outcome.FAILED, "ValueError: odd")
    assert "; 2 failed: ValueError: odd" in cli("why", sweep).out


def test_its_curves_lie_over_each_other(cli: Cli, store: Store, sweep: str):
    for number in (1, 2):
        point = {"kind": "epoch", "epoch": 1, "duration_s": 1.0, "values": {"train_loss": 0.5 / number}}
        store.streams.append_points(f"{sweep}-{number}", [point])
    lines = cli("metrics", sweep).out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        [f"{sweep}-1", "1", "0.5"],
        [f"{sweep}-2", "1", "0.25"],
    ]


def test_all_its_run_folders_are_named_and_fetched(cli: Cli, store: Store, sweep: str, tmp_path: Path):
    register(store, slots=2)
    for number in (1, 2):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        (folder / "history.json").write_text("[]")
        job_id = f"{sweep}-{number}"
        assert store.jobs.start(job_id, assigned(store, job_id), 60.0, str(folder))
    assert cli("open", sweep).out.splitlines() == [str(tmp_path / "run-1"), str(tmp_path / "run-2")]
    assert cli("download", sweep, "-o", str(tmp_path / "here")).code == 0
    assert (tmp_path / "here" / f"{sweep}-2" / "history.json").is_file()


# --- compare -----------------------------------------------------------------------------------------


def test_the_best_stands_first_and_what_failed_last(cli: Cli, store: Store, sweep: str):
    end(store, f"{sweep}-1", 0.5)
    end(store, f"{sweep}-2", None, Outcome.FAILED)
    end(store, f"{sweep}-3", 0.75)
    header, *rows = [line.split() for line in cli("compare", sweep).out.splitlines()]
    assert header == ["ID", "STATUS", "test_accuracy", "EPOCH", "optimizer.lr", "TIME", "NOTE"]
    assert [row[0][-1] for row in rows] == ["3", "1", "2"]
    assert rows[0][1:5] == ["succeeded", "0.75", "2", "0.001"]
    assert rows[2][-2:] == ["ValueError:", "odd"]


def test_programs_get_json_and_csv(cli: Cli, store: Store, sweep: str):
    end(store, f"{sweep}-2", 0.75)
    found = json.loads(cli("compare", sweep, "--json").out)["jobs"]
    assert [row["id"][-1] for row in found] == ["2", "1", "3"]
    assert (found[0]["best"]["value"], found[0]["params"]) == (0.75, {"optimizer.lr": 0.01})
    assert found[1]["best"] is None
    table = list(csv.DictReader(io.StringIO(cli("compare", sweep, "--csv").out)))
    assert (table[0]["value"], table[0]["optimizer.lr"], table[0]["state"]) == ("0.75", "0.01", "succeeded")
    assert cli("compare", sweep, "--csv", "--json").code == 2


def test_jobs_of_no_sweep_are_compared_by_what_differs_in_them(cli: Cli, store: Store, job_file: Path):
    first = cli("submit", job_file, "optimizer.lr=0.5").out.strip()
    second = cli("submit", job_file, "train.epochs=7").out.strip()
    end(store, first, 0.25)
    end(store, second, 0.5)
    header, *rows = [line.split() for line in cli("compare", first, second).out.splitlines()]
    assert header[4:6] == ["optimizer.lr", "train.epochs"]
    assert [row[0] for row in rows] == [second, first]


def test_a_smaller_value_is_better_where_the_metric_says_so(cli: Cli, store: Store, sweep: str):
    register(store, slots=100)
    for k, value in ((1, 3.0), (2, 1.0), (3, 2.0)):
        running(store, f"{sweep}-{k}")
        result = {"monitor": "test_loss", "mode": "min", "best_value": value, "best_epoch": 1}
        assert store.jobs.finish(f"{sweep}-{k}", 1, Outcome.SUCCEEDED, "", result)
    rows = [line.split()[0][-1] for line in cli("compare", sweep).out.splitlines()[1:]]
    assert rows == ["2", "3", "1"]
