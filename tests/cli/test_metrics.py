"""`metrics`: what jobs measured, as a table, as data, as curves."""

from __future__ import annotations

import json
import re

import pytest

from fusionq.cli.curves import draw, even_ticks, tick_texts
from fusionq.spec.states import Outcome
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued


def measured(store, job_id: str, *losses: float) -> None:
    queued(store, job_id)
    points = [
        {
            "kind": "epoch",
            "epoch": number,
            "duration_s": 1.5,
            "values": {"train_loss": loss, "train_accuracy": 1 - loss, "test_accuracy": 0.9 - loss},
        }
        for number, loss in enumerate(losses, 1)
    ]
    store.streams.append_points(job_id, points)


@pytest.fixture
def two(store) -> None:
    measured(store, "aaa", 0.5, 0.25)
    measured(store, "bbb", 0.75)


@pytest.mark.usefixtures("two")
class TestWithTwoJobs:
    def test_a_table_has_a_line_for_each_epoch(self, cli: Cli):
        head, first, second = cli("metrics", "aaa").out.splitlines()
        assert head.split() == ["epoch", "train_loss", "train_accuracy", "test_accuracy", "duration_s"]
        assert first.split() == ["1", "0.5", "0.5", "0.4", "1.5"]
        assert second.split() == ["2", "0.25", "0.75", "0.65", "1.5"]

    def test_several_jobs_are_told_apart(self, cli: Cli):
        lines = cli("metrics", "aaa", "bbb", "-k", "train_loss").out.splitlines()
        assert [line.split() for line in lines] == [
            ["JOB", "epoch", "train_loss"],
            ["aaa", "1", "0.5"],
            ["aaa", "2", "0.25"],
            ["bbb", "1", "0.75"],
        ]

    def test_programs_get_json_and_csv(self, cli: Cli):
        row = {"epoch": 1, "train_loss": 0.75}
        (one,) = json.loads(cli("metrics", "bbb", "-k", "train_loss", "--json").out)["jobs"]
        assert (one["id"], one["epochs"]) == ("bbb", [row])
        both = json.loads(cli("metrics", "aaa", "bbb", "-k", "train_loss", "--json").out)["jobs"]
        assert [job["id"] for job in both] == ["aaa", "bbb"]
        assert cli("metrics", "bbb", "-k", "train_loss", "--csv").out == "epoch,train_loss\n1,0.75\n"
        assert cli("metrics", "aaa", "bbb", "-k", "train_loss", "--csv").out.splitlines()[-1] == "bbb,1,0.75"

    def test_train_and_test_of_one_job_lie_in_one_picture(self, cli: Cli):
        drawn = cli("metrics", "aaa", "--plot").out
        assert drawn.count("└") == 2  # the loss, and the accuracies together
        assert "train" in drawn
        assert "test" in drawn
        assert "\x1b" not in drawn

    def test_several_jobs_lie_over_each_other(self, cli: Cli):
        drawn = cli("metrics", "aaa", "bbb", "--plot", "-k", "test_accuracy").out
        assert drawn.count("└") == 1
        assert "aaa" in drawn
        assert "bbb" in drawn

    def test_a_value_that_nobody_measured_is_said(self, cli: Cli):
        done = cli("metrics", "aaa", "-k", "train_los")
        assert (done.code, "did you mean 'train_loss'?" in done.err) == (2, True)

    def test_only_one_form_at_a_time(self, cli: Cli):
        assert cli("metrics", "aaa", "--csv", "--json").code == 2


def test_a_job_that_has_measured_nothing_says_so(cli: Cli, store):
    queued(store, "aaa")
    done = cli("metrics", "aaa")
    assert (done.code, done.out) == (0, "")
    assert done.err == "tiny (aaa) is queued and has measured nothing yet; see why: fusionq why aaa\n"
    finished(store, "bbb", Outcome.FAILED)
    assert cli("metrics", "bbb").err == "tiny (bbb) has ended without a value; see why: fusionq why bbb\n"
    assert cli("metrics", "aaa", "--plot").out == ""
    assert cli("metrics", "nothing").code == 3


@pytest.mark.parametrize(
    ("low", "high", "most", "texts"),
    [
        (0.36, 1.83, 5, ["0.5", "1.0", "1.5"]),
        (0.0123, 0.0171, 4, ["0.014", "0.016"]),
        (1, 20, 8, ["5", "10", "15", "20"]),
        (0.5, 0.5, 4, ["0.5"]),
    ],
)
def test_ticks_are_even_and_round(low: float, high: float, most: int, texts: list[str]):
    assert tick_texts(even_ticks(low, high, most)) == texts


def test_epochs_are_whole():
    assert tick_texts(even_ticks(1, 3, 8, least_step=1.0)) == ["1", "2", "3"]


def test_a_picture_stands_on_the_background_of_the_terminal():
    lines = {"train": ([1.0, 2.0], [0.5, 0.25]), "test": ([1.0, 2.0], [0.5, 0.5])}
    drawn = draw("loss", lines, 60, 8, is_colourful=True)
    assert not re.search(r"\x1b\[(4[0-9]|10[0-7])m|\x1b\[48", drawn)
    assert len(drawn.splitlines()) == 8
    assert "train" in drawn.splitlines()[0]


def test_a_level_line_and_a_single_point_can_be_drawn():
    assert draw("lr", {"lr": ([1.0], [0.1])}, 40, 6, is_colourful=False)
    assert draw("lr", {"lr": ([1.0, 2.0], [0.0, 0.0])}, 40, 6, is_colourful=False)


def within(batch: int, loss: float | None) -> dict[str, object]:
    return {
        "kind": "progress",
        "phase": "train",
        "epoch": 1,
        "num_epochs": 2,
        "batch": batch,
        "num_batches": 100,
        "values": {"train_loss": loss},
    }


def test_what_was_measured_within_the_first_epoch_is_shown_while_it_goes_on(cli: Cli, store):
    queued(store, "aaa")
    store.streams.append_points("aaa", [within(batch, 1 / batch) for batch in range(1, 51)])
    shown = cli("metrics", "aaa")
    rows = [line.split() for line in shown.out.splitlines()]
    assert (rows[0], rows[-1], len(rows)) == (["epoch", "train_loss"], ["0.500", "0.02"], 21)
    assert "values within the first epoch" in shown.err
    assert "loss" in cli("metrics", "aaa", "--plot").out
    assert json.loads(cli("metrics", "aaa", "--json").out)["jobs"][0]["epochs"] == []


def test_a_value_that_is_no_number_is_null_for_programs(cli: Cli, store):
    measured(store, "aaa", float("nan"))
    (job,) = json.loads(cli("metrics", "aaa", "-k", "train_loss", "--json").out)["jobs"]
    assert job["epochs"] == [{"epoch": 1, "train_loss": None}]
