"""From a file to a spec and back: every mistake at once, and nothing lost on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fusionq.errors import NotFoundError, SpecError
from fusionq.spec.job import CodeSection
from fusionq.spec.load import from_yaml, load_file, load_job, parse_job
from fusionq.spec.writer import to_yaml
from tests.support import ONE_JOB

JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.yaml"))

MANY_MISTAKES = """\
name: wrong
model:
  _target_: Sequential
  _args_:
    - {_target_: Linaer, in_features: 1}
data: {train: {_target_: Digits}, batch_size: 0}
optimizer: {_target_: Adma}
trian: {epochs: 5}
timeout: soon
"""


def mistakes_of(call) -> list[str]:
    with pytest.raises(SpecError) as caught:
        call()
    return [str(problem) for problem in caught.value.problems]


def test_every_mistake_is_reported_at_once_in_file_order_with_its_place():
    found = mistakes_of(lambda: from_yaml(MANY_MISTAKES, "jobs/wrong.yaml"))
    assert found == [
        "jobs/wrong.yaml:1:1: the key 'loss' is missing",
        "jobs/wrong.yaml:5:8: there is no Linaer in torch.nn, fusionq or torchvision.models;"
        " did you mean 'Linear'?",
        "jobs/wrong.yaml:6:35: data.batch_size: it should be greater than or equal to 1, but this is 0",
        "jobs/wrong.yaml:7:13: there is no torch.optim.Adma; did you mean 'Adam'?",
        "jobs/wrong.yaml:8:1: unknown key 'trian'; did you mean 'train'?",
        "jobs/wrong.yaml:9:1: timeout: 'soon' is not a duration; write 30s, 10m or 2h30m",
    ]


def test_several_missing_keys_are_several_mistakes():
    found = mistakes_of(lambda: from_yaml("name: x\n"))
    assert [mistake.split("'")[1] for mistake in found] == ["model", "data", "loss", "optimizer"]


def test_mistakes_of_stored_data_are_all_told_though_it_has_no_places():
    found = mistakes_of(lambda: parse_job({"model": "Linaer", "data": 5, "loss": 3, "x": 1}, "stored job"))
    assert len(found) == 5
    assert all(mistake.startswith("stored job: ") for mistake in found)


def test_one_wrong_value_is_one_mistake():
    found = mistakes_of(lambda: from_yaml(ONE_JOB.replace("loss: {_target_: CrossEntropyLoss}", "loss: 3")))
    assert len(found) == 1


@pytest.mark.parametrize(("text", "kind"), [("- a", "a list"), ("hello", "plain text"), ("5", "plain text")])
def test_a_file_that_is_no_block_of_keys_is_refused(text, kind):
    (mistake,) = mistakes_of(lambda: from_yaml(text))
    assert mistake.startswith(f"job.yaml:1:1: a job file is a block of keys, this is {kind}")


def test_the_error_is_wrong_use_for_the_shell():
    with pytest.raises(SpecError) as caught:
        from_yaml("name: x")
    assert caught.value.exit_code == 2
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("file_name", "job_name"),
    [
        ("my-job.yaml", "my-job"),
        ("a b.v2.yaml", "a b.v2"),
        ("__x.yaml", "x"),
        ("über;job.yaml", "über-job"),
        ("你好.yaml", "你好"),
    ],
)
def test_a_job_without_a_name_is_called_like_its_file(tmp_path: Path, file_name, job_name):
    file = tmp_path / file_name
    file.write_text(ONE_JOB.replace("name: tiny\n", ""), encoding="utf-8")
    spec = load_job(file)
    assert spec.name == job_name
    assert parse_job(spec.to_data()) == spec


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path):
    with pytest.raises(NotFoundError):
        load_job(tmp_path / "none.yaml")


def test_overrides_and_variables_reach_the_spec(tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_text(ONE_JOB + "train: {epochs: '${EPOCHS:-3}'}\nenv: {WHO: '${WHO}'}\n")
    spec = load_job(file, ["train.epochs=${EPOCHS}", "optimizer.lr=1e-2"], {"EPOCHS": "7", "WHO": "me"})
    assert (spec.train.epochs, spec.optimizer["lr"], spec.env) == (7, 0.01, {"WHO": "me"})


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.name)
def test_every_job_file_of_the_repository_comes_back_as_it_was(file: Path):
    for loaded in load_file(file, workdir=file.parent):
        for spec in loaded.jobs:
            assert from_yaml(to_yaml(spec.to_data())) == spec
            assert parse_job(json.loads(json.dumps(spec.to_data()))) == spec


def test_an_argument_that_is_null_stays_an_argument():
    spec = from_yaml(ONE_JOB.replace("lr: 0.1", "lr: 0.1, foreach: null, fused: {a: null, b: [null]}"))
    data = spec.to_data()
    assert data["optimizer"]["foreach"] is None
    assert data["optimizer"]["fused"] == {"a": None, "b": [None]}
    assert from_yaml(to_yaml(data)) == spec


def test_an_infinite_argument_stays_infinite():
    spec = from_yaml(ONE_JOB.replace("lr: 0.1", "lr: -.inf"))
    assert from_yaml(to_yaml(spec.to_data())).optimizer["lr"] == float("-inf")


# What goes wrong between a value and its text: words, numbers, variables, quotes, spaces, line ends.
awkward = st.sampled_from(
    [
        *(
            "",
            " ",
            "1e-3",
            "012",
            "0x10",
            "1_000",
            "null",
            "~",
            "on",
            "No",
            "true",
            ".inf",
            ".NaN",
            "2024-01-01",
            "1:30",
        ),
        *(
            "${A}",
            "$${A}",
            "$$${A}",
            "${A:-b}",
            "${",
            "$",
            "- a",
            "a: b",
            "a #b",
            "# a",
            "'",
            '"',
            "\\",
            "%",
            "@",
            "`",
        ),
        *(
            "a\nb",
            "\n",
            "\ta",
            "a ",
            " a",
            "\r",
            "\x00",
            "\x85",
            "\u2028",
            "\ufeff",
            "é",
            "🙂",
            "<<",
            "=",
            "!x",
            "&a",
            "*a",
        ),
    ]
)
texts = st.one_of(awkward, st.text(max_size=40), st.lists(awkward, max_size=4).map("".join))
numbers = st.one_of(
    st.integers(min_value=-(10**30), max_value=10**30), st.floats(allow_nan=False), st.booleans(), st.none()
)
keys = st.one_of(awkward, st.text(min_size=1, max_size=10)).filter(
    lambda key: key not in ("_target_", "_args_", "_component_", "class_path", "init_args")
)
values = st.recursive(
    st.one_of(texts, numbers),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
tags = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 ._+:/@=-]{0,20}\Z")


@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(keys, values, max_size=4),
    st.lists(values, max_size=3),
    st.dictionaries(keys, texts, max_size=3),
    st.lists(tags, max_size=3),
)
def test_any_values_come_back_from_a_file_and_from_the_store(arguments, positional, env, tag_list):
    data = {
        **from_yaml(ONE_JOB).to_data(),
        "model": {"_target_": "my_package.Net", "_args_": positional, **arguments},
        "env": env,
        "tags": tag_list,
    }
    spec = parse_job(data)
    assert spec.env == env
    assert {key: value for key, value in spec.model.items() if key not in ("_target_", "_args_")} == arguments
    assert from_yaml(to_yaml(spec.to_data())) == spec
    assert parse_job(json.loads(json.dumps(spec.to_data()))) == spec


def test_one_value_stands_for_a_list_of_one():
    data = {"train": "Digits"}
    job = {"model": {"from": "a.pth", "ignore": "head"}, "data": data, "loss": "MSELoss", "optimizer": "SGD"}
    assert parse_job({**job, "retry": {"on": "oom"}}).retry.on == ["oom"]


def test_what_is_taken_of_weights_has_its_types():
    model = "model: {from: a.pth, strict: maybe, prefix: 3, ignore: {head: 1}}"
    with pytest.raises(SpecError) as caught:
        from_yaml(model, "p.yaml")
    told = "\n".join(problem.message for problem in caught.value.problems)
    for words in (
        "model.strict: expected true or false",
        "model.prefix: expected text",
        "expected a list of",
    ):
        assert words in told


def test_a_trainer_of_the_users_own_may_do_without_loss_and_optimizer():
    own = "model: m.Net\ndata: {train: MNIST}\ntrainer: m.Trainer\n".replace("MNIST", "{_target_: Digits}")
    spec = from_yaml(own)
    assert (spec.loss, spec.optimizer) == (None, None)
    with pytest.raises(SpecError, match="the key 'loss' is missing"):
        from_yaml(own.replace("m.Trainer", "StandardModel"))
    with pytest.raises(SpecError, match=r"train.ema needs the job's optimizer: add `optimizer`"):
        from_yaml(f"{own}train: {{ema: 0.9}}")


def test_each_task_needs_its_own_keys():
    text = "task: predict\nmodel: {_target_: Linear, in_features: 1, out_features: 1}\ndata: {}\n"
    assert mistakes_of(lambda: from_yaml(text, "p.yaml")) == [
        "p.yaml:2:1: the key 'model.from' is missing; the task predict needs it",
        "p.yaml:3:1: the key 'data.test' is missing; the task predict needs it",
    ]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("lr: 0.1", "optimizer.lr"),
        ("epochs: 5", "train.epochs"),
        ("batch_size: 8", "data.batch_size"),
        ("max_epochs: 5", "train.epochs"),
        ("train: {learning_rate: 0.1}", "optimizer.lr"),
        ("criterion: MSELoss", "loss"),
    ],
)
def test_a_key_at_the_wrong_place_is_shown_its_own(line: str, meant: str):
    with pytest.raises(SpecError) as caught:
        from_yaml(f"{ONE_JOB}{line}\n")
    assert caught.value.problems[0].message.endswith(f"; did you mean {meant!r}?")


def test_code_beside_the_file_is_where_it_is_wherever_the_job_runs(tmp_path: Path):
    (tmp_path / "day").mkdir()
    (tmp_path / "work").mkdir()
    file = tmp_path / "day" / "job.yaml"
    file.write_text(ONE_JOB + "trainer: slow.Trainer\n")
    (file.parent / "slow.py").touch()
    (loaded,) = load_file(file, workdir=tmp_path / "work")
    assert isinstance(loaded.spec.code, CodeSection)
    assert loaded.spec.code.path == str(tmp_path / "day")
    (tmp_path / "work" / "slow.py").touch()  # what lies where it runs goes first
    (loaded,) = load_file(file, workdir=tmp_path / "work")
    assert loaded.spec.code == CodeSection()
