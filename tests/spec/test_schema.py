"""The JSON Schema takes what the reader takes, and refuses what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from fusionq.errors import SpecError
from fusionq.spec.describe import ANY_NAME, keys
from fusionq.spec.job import JobSpec
from fusionq.spec.load import from_yaml
from fusionq.spec.reader import read_text
from fusionq.spec.scaffold import commented
from fusionq.spec.schema import READER_SCHEMAS, job_schema
from tests.spec.valid_jobs import jobs, jobs_with_sweeps
from tests.support import ONE_JOB

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "jobs").glob("*.yaml"))
TEMPLATES = sorted((ROOT / "fusionq" / "cli" / "templates").glob("*.yaml"))
SCHEMA = job_schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def accepts(data: Any) -> bool:
    return CHECK.is_valid(data)


@hypothesis_settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(jobs | jobs_with_sweeps)
def test_it_accepts_every_valid_job(job: dict[str, Any]):
    assert list(CHECK.iter_errors(job)) == []


def plain(text: str) -> Any:
    """The data of a job file with its variables left as they are."""
    return read_text(text.replace("${", "$${"), "job.yaml", {}).data


def test_it_is_a_schema_of_its_dialect_and_of_the_one_that_older_editors_know():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.name)
def test_it_accepts_the_job_files_of_the_repository(file: Path):
    for document in file.read_text().split("\n---\n"):
        assert list(CHECK.iter_errors(plain(document))) == []


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_it_accepts_every_template(file: Path):
    assert list(CHECK.iter_errors(plain(commented(file.read_text())))) == []


BOTH_TAKE = [
    "task: train",
    "trainer: my_package.MyTrainer",
    "trainer: StandardModel",
    "lr_scheduler: {class_path: StepLR, init_args: {step_size: 3}}",
    "lr_scheduler: {_component_: torch.optim.lr_scheduler.StepLR, step_size: 3}",
    "metrics: {train: [Accuracy, {_target_: Accuracy, topK: 2}]}",
    "timeout: 2h30m",
    "timeout: 90",
    "grace: 0",
    "retry: {max: 3, backoff: 1.5m, on: [oom]}",
    "checkpoint: {every: 500ba}",
    "checkpoint: {every: 1h30m}",
    "train: {warmup: 1ep, clip_grad_norm: 1}",
    "train: {clip_grad_norm: null}",
    "resources: {gpu_memory: 20GB, gpus: 1, cpus: 2}",
    "resources: {gpu_memory: 16 GiB}",
    "resources: {gpus: 8, processes: 8, gpu_type: [A100], memory: 64GB, labels: {site: berlin}}",
    "resources: {processes: auto}",
    "resources: {gpu_memory: 1000000}",
    "after: [last, base]",
    "code: none",
    "code: {path: src, exclude: ['*.bin']}",
    "sweep: {params: {optimizer.lr: [1e-3, 1e-4]}}",
    "sweep: {method: random, params: {optimizer.lr: {loguniform: [1e-4, 1e-1]}}, trials: 5, max_parallel: 2}",
    "sweep: {method: list, params: [{optimizer.lr: 0.1, train.seed: 2}]}",
    "tags: [a, b]",
    "env: {A: 'x', B: 4, C: true, D: 3.10}",
    "resources: {gpu_type: A100}",
    "resources: {gpu_type: 4090}",
    "after: last",
    "tags: [größe, 实验 2, हिन्दी, 2026]",
    "tags: 实验",
    "export: onnx",
    "queue: gpu-1",
]
BOTH_REFUSE = [
    "trian: {epochs: 3}",
    "train: {epoch: 3}",
    "train: {epochs: many}",
    "train: {epochs: 0}",
    "train: {epochs: 2.5}",
    "train: {compile: 1}",
    "train: {ema: 1.0}",
    "train: 5",
    "task: trian",
    "trainer: Standardmodel",
    "trainer: Accuracy",
    "lr_scheduler: Adam",
    "callbacks: [Accuracy]",
    "metrics: {test: [{_target_: CsvLog}]}",
    "trainer: null",
    "lr_scheduler: {step_size: 3}",
    "lr_scheduler: {_target_: StepLR, class_path: StepLR}",
    "metrics: {train: Accuracy}",
    "metrics: {train: [Acuracy]}",
    "timeout: 2 hours",
    "timeout: 0",
    "timeout: -1",
    "grace: true",
    "checkpoint: {every: 1epoch}",
    "checkpoint: {every: 0ep}",
    "checkpoint: {every: 10}",
    "resources: {gpu_memory: 20}\nqueue: ''",
    "resources: {gpu_memory: 20 giga}",
    "resources: {gpus: -1}",
    "resources: {labels: [berlin]}",
    "retry: {on: [bad_luck]}",
    "code: all",
    "code: {folder: src}",
    "sweep: {method: grid}",
    "sweep: {params: {}}",
    "sweep: {params: {optimizer.lr: {normal: [0, 1]}}}",
    "sweep: {params: {optimizer.lr: {uniform: [0]}}}",
    "queue: 'a b'",
    "tags: ['']",
    "env: {A: null}",
    "task: predict",
]


@pytest.mark.parametrize("more", BOTH_TAKE)
def test_it_takes_what_the_reader_takes(more: str):
    from_yaml(f"{ONE_JOB}{more}\n")
    assert list(CHECK.iter_errors(plain(f"{ONE_JOB}{more}\n"))) == []


@pytest.mark.parametrize("more", BOTH_REFUSE)
def test_it_refuses_what_the_reader_refuses(more: str):
    with pytest.raises(SpecError):
        from_yaml(f"{ONE_JOB}{more}\n")
    assert not accepts(plain(f"{ONE_JOB}{more}\n"))


@pytest.mark.parametrize("line", ["model", "data"])
def test_a_key_that_the_job_needs_is_missed(line: str):
    text = "\n".join(found for found in ONE_JOB.splitlines() if not found.startswith(line))
    assert not accepts(plain(text))
    assert accepts({**plain(text), "defaults": "base.yaml"}), "the other file may have it"


def test_a_name_deep_within_a_block_is_checked():
    text = ONE_JOB.replace("{_target_: Linear, in", "{_target_: Sequential, _args_: [{_target_: LINEAR}], in")
    assert not accepts(plain(text))
    assert accepts(plain(text.replace("LINEAR", "Linear")))
    assert accepts(plain(text.replace("LINEAR", "my_package.Layer")))


def test_a_model_may_come_from_another_job():
    text = "task: predict\nmodel: {from: digits}\ndata: {test: Digits}\n"
    assert accepts(plain(text))
    assert not accepts(plain(text.replace("{from: digits}", "{frm: digits}")))
    assert accepts(
        plain(text.replace("{from: digits}", "{_target_: Linear, from: weights.pt, in_features: 1}"))
    )


@pytest.mark.parametrize(
    "more",
    [
        "train:\n  epochs: ${EPOCHS}",
        "train:\n  compile: ${COMPILE:-false}",
        "train:\n  precision: ${PRECISION:-bf16}",
        "timeout: ${HOURS}h",
        "resources:\n  gpu_memory: ${MEMORY}",
        "checkpoint:\n  every: ${EVERY:-1ep}",
        "queue: ${QUEUE}",
        "trainer: ${TRAINER}",
        "tags:\n  - run-${N}",
    ],
)
def test_a_variable_may_stand_for_any_plain_value(more: str):
    assert list(CHECK.iter_errors(plain(f"{ONE_JOB}{more}\n"))) == []


@pytest.mark.parametrize("given", ["base.yaml", ["a.yaml", "b.yaml"]])
def test_a_file_may_extend_others(given: Any):
    assert accepts({"defaults": given, "train": {"epochs": 3}})
    assert not accepts({"defaults": given, "train": {"epoch": 3}})
    assert not accepts({"defaults": 5})


def test_editors_can_complete_the_short_names():
    names = SCHEMA["$defs"]["optimizer_name"]["anyOf"][0]["enum"]
    assert "AdamW" in names
    assert not {"MNIST", "StepLR"} & set(names)
    assert "MNIST" in SCHEMA["$defs"]["data_name"]["anyOf"][0]["enum"]


def test_a_place_offers_what_it_takes_and_a_block_within_it_anything():
    losses, inner = (SCHEMA["$defs"][name]["anyOf"][0]["enum"] for name in ("loss_name", "loss_inner_name"))
    assert "CrossEntropyLoss" in losses
    assert "Linear" not in losses
    assert {"CrossEntropyLoss", "Linear"} <= set(inner)


def test_every_key_has_its_sentence_and_its_default():
    for key in keys():
        found = SCHEMA
        for part in key.path:
            found = _within(found, part)
        assert found["description"] == key.description
        assert found.get("default") == key.default


def _within(schema: Any, part: str) -> Any:
    """The schema of a key in a block, which may be one of several choices."""
    for choice in (schema, *schema.get("anyOf", ())):
        if part == ANY_NAME and isinstance(choice.get("additionalProperties"), dict):
            return choice["additionalProperties"]
        if part == ANY_NAME and isinstance(choice.get("items"), dict):
            return choice["items"]
        if part in choice.get("properties", ()):
            return choice["properties"][part]
    raise AssertionError(f"no {part}")


def test_what_only_the_reader_knows_is_described():
    assert {key.dotted for key in keys()} - set(JobSpec.model_fields) >= set(READER_SCHEMAS)
    assert set(READER_SCHEMAS) <= set(SCHEMA["properties"])
