"""Sweeps: which trials there are, and that every one of them is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import Loaded, load_file, parse_job
from tests.support import ONE_JOB


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(text: str = "", *overrides: str) -> Loaded:
    Path("job.yaml").write_text(ONE_JOB + text)
    return load_file("job.yaml", overrides, workdir=Path())[0]


def params_of(text: str = "", *overrides: str) -> list[dict]:
    return [trial.params for trial in loaded(text, *overrides).trials]


def mistakes_of(text: str = "", *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        loaded(text, *overrides)
    return [str(problem) for problem in caught.value.problems]


pytestmark = pytest.mark.usefixtures("folder")

GRID = "sweep: {params: {optimizer.lr: [1e-3, 1e-4], data.batch_size: {choice: [8, 16]}}}\n"


def test_a_grid_has_every_combination_in_the_order_of_the_file():
    assert params_of(GRID) == [
        {"optimizer.lr": 1e-3, "data.batch_size": 8},
        {"optimizer.lr": 1e-3, "data.batch_size": 16},
        {"optimizer.lr": 1e-4, "data.batch_size": 8},
        {"optimizer.lr": 1e-4, "data.batch_size": 16},
    ]


def test_each_trial_is_a_whole_job_that_comes_back_as_it_was():
    found = loaded(GRID)
    assert [trial.index for trial in found.trials] == [1, 2, 3, 4]
    second = found.trials[1].spec
    assert (second.optimizer["lr"], second.data.batch_size, second.sweep) == (1e-3, 16, None)
    assert parse_job(second.to_data()) == second
    assert parse_job(found.spec.to_data()).sweep == found.spec.sweep
    assert found.jobs == [trial.spec for trial in found.trials]


def test_a_list_has_the_trials_that_it_says():
    text = "sweep: {method: list, params: [{optimizer.lr: 1e-3, priority: 1}, {optimizer: Adam}]}\n"
    assert params_of(text) == [{"optimizer.lr": 1e-3, "priority": 1}, {"optimizer": "Adam"}]
    assert loaded(text).trials[1].spec.optimizer == {"_target_": "torch.optim.Adam"}


RANDOM = """
sweep:
  method: random
  trials: 20
  seed: 1
  params:
    optimizer.lr: {loguniform: [1e-5, 1e-1]}
    optimizer.momentum: {uniform: [0.5, 0.9]}
    data.batch_size: {int: [1, 64]}
    train.seed: [1, 2, 3]
"""


def test_random_draws_stay_within_their_bounds_and_are_the_same_for_the_same_seed():
    found = params_of(RANDOM)
    assert len(found) == 20
    assert all(1e-5 <= p["optimizer.lr"] <= 1e-1 and 0.5 <= p["optimizer.momentum"] <= 0.9 for p in found)
    assert all(1 <= p["data.batch_size"] <= 64 and p["train.seed"] in (1, 2, 3) for p in found)
    assert len({p["optimizer.lr"] for p in found}) == 20
    assert sum(p["optimizer.lr"] < 1e-3 for p in found) in range(4, 17), "even over magnitudes"
    assert found == params_of(RANDOM)
    assert found != params_of(RANDOM.replace("seed: 1\n", "seed: 2\n"))


def test_a_parameter_more_does_not_change_the_others():
    fewer = params_of(RANDOM.replace("    train.seed: [1, 2, 3]\n", ""))
    assert [{**p, "train.seed": 0} for p in fewer] == [{**p, "train.seed": 0} for p in params_of(RANDOM)]


def test_values_with_commas_on_the_command_line_are_a_grid():
    assert params_of("", "optimizer.lr=1e-3,1e-4", "train.epochs=2") == [
        {"optimizer.lr": 1e-3},
        {"optimizer.lr": 1e-4},
    ]
    assert params_of("", "optimizer=SGD,{_target_: Adam, lr: 1}")[1] == {
        "optimizer": {"_target_": "Adam", "lr": 1}
    }
    assert params_of("", "tags=[a],[b, c]") == [{"tags": ["a"]}, {"tags": ["b", "c"]}]


@pytest.mark.parametrize("text", ["env.A='1,2'", 'env.A="1,2"', "tags=[a,b]", "env={A: 'x', B: y}"])
def test_a_comma_within_quotes_or_brackets_is_no_grid(text):
    assert params_of("", text) == []


def test_a_grid_on_the_command_line_joins_the_one_in_the_file():
    assert len(params_of(GRID, "train.epochs=1,2,3")) == 12
    assert len(params_of(GRID, "optimizer.lr=1,2,3")) == 6


def test_one_value_on_the_command_line_goes_over_those_of_the_file():
    assert params_of(GRID, "optimizer.lr=5") == [{"data.batch_size": 8}, {"data.batch_size": 16}]
    found = loaded(GRID, "optimizer.lr=5", "data.batch_size=4")
    assert (found.trials, found.spec.optimizer["lr"], found.spec.sweep) == ((), 5, None)


def test_a_sweep_is_taken_away_like_any_key():
    assert params_of(GRID, "~sweep") == []


def test_every_trial_is_checked_and_its_mistake_stands_at_its_value():
    text = "sweep:\n  params:\n    train.epochs: [1, 0, x]\n    data.batch_size: [1, 2]\n"
    assert mistakes_of(text) == [
        "job.yaml:9:23: train.epochs: it should be greater than or equal to 1, but this is 0",
        "job.yaml:9:26: train.epochs: expected a whole number, but this is 'x'",
    ]


def test_a_parameter_that_is_no_key_is_told_at_its_place():
    (mistake,) = mistakes_of("sweep: {params: {train.epohcs: [1, 2]}}\n")
    assert mistake.startswith("job.yaml:7:")
    assert "unknown key 'train.epohcs'; did you mean 'epochs'?" in mistake
    assert mistakes_of("", "train.epohcs=1,2") == [
        "override 'train.epohcs=1,2': unknown key 'train.epohcs'; did you mean 'epochs'?"
    ]


def test_what_only_the_trials_complete_is_complete():
    text = ONE_JOB.replace(", out_features: 10", "")
    Path("job.yaml").write_text(text + "sweep: {params: {model.out_features: [10, 20]}}\n")
    (loaded,) = load_file("job.yaml", workdir=Path())
    assert [trial.spec.model["out_features"] for trial in loaded.trials] == [10, 20]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("{params: {}}", "sweep.params: "),
        ("{params: {a: []}}", "sweep.params.a: expected at least one value"),
        ("{params: {a: 5}}", "sweep.params.a: expected a list, but this is 5"),
        ("{params: 5}", "sweep.params: expected a list, but this is 5"),
        ("{}", "the key 'sweep.params' is missing"),
        ("{params: {a: {unifrom: [1, 2]}}}", "unknown key 'sweep.params.a.unifrom'"),
        ("{method: random, trials: 2, params: {a: {uniform: [2, 1]}}}", "uniform goes from the smaller"),
        ("{method: random, trials: 2, params: {a: {uniform: [1]}}}", "sweep.params.a.uniform: expected"),
        ("{method: random, trials: 2, params: {a: {loguniform: [0, 1]}}}", "takes numbers above 0"),
        ("{method: random, trials: 2, params: {a: {int: [0, 1], choice: [1]}}}", "say one of choice"),
        ("{method: random, params: {a: [1]}}", "trials says how many to draw"),
        ("{trials: 5, params: {a: [1]}}", "trials says how many to draw"),
        ("{params: {a: {uniform: [1, 2]}}}", "a grid takes lists of values, and a has none"),
        ("{params: [{a: 1}]}", "the method list takes a list of trials"),
        ("{method: list, params: {a: [1]}}", "the method list takes a list of trials"),
        ("{method: bayes, params: {a: [1]}}", "it should be 'grid', 'random' or 'list'"),
        ("{method: random, trials: 10001, params: {a: [1]}}", "a sweep has 10,000 trials at most"),
        ("{params: {sweep.seed: [1]}}", "a sweep cannot sweep itself"),
        ("{params: {code.path: [src]}}", "code is the same for all trials of a sweep"),
        ("{params: {unique: [true]}}", "unique is the same for all trials of a sweep"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_one_mistake(sweep, message):
    (mistake,) = mistakes_of(f"sweep: {sweep}\n")
    assert message in mistake
    assert mistake.startswith("job.yaml:7:")


def test_a_grid_of_too_many_trials_is_refused_before_it_is_made():
    values = ", ".join(map(str, range(1, 102)))
    keys = ", ".join(f"{key}: [{values}]" for key in ("train.epochs", "data.batch_size", "train.seed"))
    (mistake,) = mistakes_of(f"sweep: {{params: {{{keys}}}}}\n")
    assert "this grid has 1,030,301 trials; a sweep has 10,000 at most" in mistake


def test_listed_trials_cannot_be_made_a_grid_from_the_command_line():
    (mistake,) = mistakes_of("sweep: {method: list, params: [{priority: 1}]}\n", "train.seed=1,2")
    assert mistake.endswith("the file lists its trials one by one; change the list, or give one value")
