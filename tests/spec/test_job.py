"""The job file as a model: defaults, limits, and what each wrong value is told."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from fusionq.spec.job import JobSpec, Section
from fusionq.spec.load import from_yaml
from tests.support import ONE_JOB


def with_line(line: str) -> JobSpec:
    return from_yaml(ONE_JOB + line)


def mistake_in(line: str) -> str:
    with pytest.raises(SpecError) as caught:
        with_line(line)
    (problem,) = caught.value.problems
    return problem.message


def test_a_job_that_says_only_the_necessary_has_safe_defaults():
    spec = from_yaml(ONE_JOB)
    assert spec.trainer == {"_target_": "fusionq.StandardModel"}
    assert (spec.queue, spec.priority, spec.timeout, spec.grace) == ("default", 0, None, 30)
    assert (spec.checkpoint.save_models, spec.checkpoint.every, spec.checkpoint.keep) == ("best", "1ep", 2)
    assert (spec.checkpoint.resume, spec.retry.max, spec.retry.backoff) == ("auto", 2, 0)
    assert (spec.resources.gpus, spec.resources.cpus) == ("auto", "auto")


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        from_yaml(ONE_JOB).priority = 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("priorty: 1", "unknown key 'priorty'; did you mean 'priority'?"),
        ("train: {epoch: 1}", "unknown key 'train.epoch'; did you mean 'epochs'?"),
        ("train: {epochs: 0}", "train.epochs: it should be greater than or equal to 1, but this is 0"),
        ("train: {epochs: 1.5}", "train.epochs: expected a whole number, but this is 1.5"),
        ("train: {epochs: '5'}", "train.epochs: expected a whole number, but this is '5'"),
        ("train: {epochs: true}", "train.epochs: expected a whole number, but this is True"),
        ("train: 5", "train: expected a block of keys, but this is 5"),
        ("train: {deterministic: on}", "train.deterministic: expected true or false, but this is 'on'"),
        ("train: {seed: -1}", "train.seed: it should be greater than or equal to 0, but this is -1"),
        ("checkpoint: {keep: 1}", "checkpoint.keep: it should be greater than or equal to 2, but this is 1"),
        ("checkpoint: {every: 5}", "checkpoint.every: expected text, but this is 5"),
        ("checkpoint: {every: 0ep}", "checkpoint.every: '0ep' is not an interval; write 1ep, 500ba or 10m"),
        ("checkpoint: {mode: up}", "checkpoint.mode: it should be 'min' or 'max', but this is 'up'"),
        ("resources: {gpus: two}", "resources.gpus: expected a whole number or 'auto', but this is 'two'"),
        (
            "resources: {gpus: -1}",
            "resources.gpus: it should be greater than or equal to 0 or 'auto', but this is -1",
        ),
        ("resources: {gpus: 2, gpu_memory: 1GB}", "gpu_memory is a share of one GPU; several are had whole"),
        ("resources: {gpus: 0, gpu_type: [A100]}", "gpu_type asks for a GPU, and resources.gpus is 0"),
        (
            "resources: {gpus: 2, processes: 3}",
            "3 processes need 3 GPUs, or none; resources.gpus is 2",
        ),
        ("retry: {backoff: soon}", "retry.backoff: 'soon' is not a duration; write 30s, 10m or 2h30m"),
        ("retry: {max: 101}", "retry.max: it should be less than or equal to 100, but this is 101"),
        ("timeout: [1]", "timeout: a duration is written like 30s, 10m or 2h30m"),
        ("timeout: 0s", "timeout: it should be greater than 0, but this is '0s'"),
        ("grace: null", "grace: a duration is written like 30s, 10m or 2h30m"),
        ("tags: {a: 1}", "tags: expected a list, but this is a block"),
        ("tags: [[5]]", "tags.0: expected text, but this is a list"),
        ("env: {A: [1]}", "env.A: expected text, but this is a list"),
        ("env: [A]", "env: expected a block of keys, but this is a list"),
        ("task: fly", "task: it should be 'train', 'evaluate' or 'predict', but this is 'fly'"),
        ("metrics: {test: [Accuracy]}", "metrics.test needs data.test"),
        (
            "metrics: {train: [{_target_: Accuracy, name: Loss}]}",
            "'train_loss' is the loss itself, so no metric can be called 'Loss'; give it another name",
        ),
        (
            "metrics: {train: [Accuracy, {_target_: MSE, name: accuracy}]}",
            "the metrics 'Accuracy' and 'accuracy' would both be 'train_accuracy'; "
            "give one of them another name",
        ),
        (
            "lr_scheduler: ReduceLROnPlateau\ntrain: {lr_interval: step}",
            "lr_scheduler: ReduceLROnPlateau watches the monitored value, which there is once an epoch; "
            "train.lr_interval: step needs another scheduler",
        ),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(line, message):
    assert mistake_in(line) == message


@pytest.mark.parametrize("line", ["resources: {cpus: 0}", "resources: {cpus: x}", "resources: {cpus: 1.5}"])
def test_a_value_that_fits_no_branch_of_a_choice_is_one_mistake(line):
    assert mistake_in(line).startswith("resources.cpus: ")


@pytest.mark.parametrize("name", ["", "-x", " x", "a\nb", "é*", "a;b", "x" * 101])
def test_a_name_that_a_shell_or_a_terminal_would_trip_over_is_refused(name):
    with pytest.raises(SpecError):
        from_yaml(ONE_JOB.replace("name: tiny", f"name: {name!r}"))


@pytest.mark.parametrize("queue", ["../x", "a b", "", "a:b", "x" * 65])
def test_the_name_of_a_queue_is_a_plain_word(queue):
    with pytest.raises(SpecError):
        with_line(f"queue: {queue!r}")


def test_durations_are_stored_in_seconds():
    spec = with_line("timeout: 2h30m\nretry: {backoff: 30s}\ngrace: 5")
    assert (spec.timeout, spec.retry.backoff, spec.grace) == (9000, 30, 5)


def test_every_key_has_its_sentence():
    def undescribed(model: type[Section]) -> list[str]:
        missing = []
        for name, info in model.model_fields.items():
            kind = info.annotation
            if isinstance(kind, type) and issubclass(kind, Section):
                missing += undescribed(kind)
            elif not info.description:
                missing.append(f"{model.__name__}.{name}")
        return missing

    assert undescribed(JobSpec) == []
