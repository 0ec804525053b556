"""Job files that are right, built by hypothesis from the model of the job file itself."""

from __future__ import annotations

import types
import typing
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from fusionq.spec.job import JobSpec
from fusionq.spec.section import Section

LINEAR = {"_target_": "Linear", "in_features": 64, "out_features": 10}
words = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 ._+:/@=-]{0,20}\Z")
durations = st.sampled_from(["30s", "10m", "2h30m", "1.5h", "1d", 90, 2.5])
datasets = st.sampled_from(
    [
        {"_target_": "Digits"},
        "Digits",
        {"_target_": "MNIST", "root": "data", "train": True, "download": True},
        {"class_path": "torchvision.datasets.FakeData", "init_args": {"size": 10}},
        {"_target_": "my_package.Images", "path": "x", "deep": {"a": [1, None, "b"]}},
    ]
)
transforms = st.lists(
    st.sampled_from(["ToTensor", {"_target_": "Normalize", "mean": [0.5], "std": [0.5]}]), max_size=3
)
metrics = st.lists(
    st.sampled_from(["Accuracy", {"_target_": "Accuracy", "topK": 2}]), min_size=1, max_size=2, unique_by=repr
)

# What the types alone do not say, by path.
SPECIAL: dict[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("name",): words,
    ("task",): st.just("train"),
    ("trainer",): st.sampled_from(["StandardModel", {"_target_": "my_package.Trainer", "seconds": 1}]),
    ("model",): st.sampled_from(
        [
            LINEAR,
            {"_target_": "Sequential", "_args_": [{"_target_": "fusionq.Flatten"}, LINEAR]},
            {"_component_": "torch.nn.Linear", "in_features": 1, "out_features": 2},
            {"class_path": "my_package.Net", "init_args": {"width": 3}},
            {"_target_": "resnet18", "num_classes": 10},
        ]
    ),
    ("data",): st.fixed_dictionaries(
        {"train": datasets, "test": datasets},
        optional={
            "val": datasets,
            "transform": transforms,
            "offline": st.just("digits"),
            "batch_size": st.integers(1, 512),
            "collate_fn": st.just("my_package.collate"),
            "num_workers": st.integers(0, 4),
            "shuffle": st.booleans(),
            "drop_last": st.booleans(),
            "sampler": st.sampled_from(["RandomSampler", {"_target_": "my_package.Balanced"}]),
        },
    ),
    ("loss",): st.sampled_from(
        ["CrossEntropyLoss", {"_target_": "CrossEntropyLoss", "label_smoothing": 0.1}]
    ),
    ("optimizer",): st.sampled_from(
        ["Adam", {"_target_": "SGD", "lr": 0.1}, {"_target_": "torch.optim.AdamW"}]
    ),
    ("lr_scheduler",): st.just({"_target_": "StepLR", "step_size": 1}),
    ("metrics",): st.fixed_dictionaries({}, optional={"train": metrics, "test": metrics}),
    ("callbacks",): st.lists(st.sampled_from(["CsvLog", {"_target_": "my_package.Mine"}]), max_size=2),
    ("train", "warmup"): st.sampled_from(["1ep", "500ba"]),
    ("checkpoint", "every"): st.sampled_from(["1ep", "500ba", "10m"]),
    ("resources",): st.sampled_from(
        [{}, {"gpus": 0, "cpus": 2}, {"gpus": 1, "gpu_memory": "24GB"}, {"gpu_memory": 10**9}]
    ),
    ("retry", "backoff"): durations,
    ("retry", "on"): st.lists(st.sampled_from(["crash", "oom", "disk_full"]), max_size=2)
    | st.dictionaries(
        st.sampled_from(["worker_lost", "crash", "error"]),
        st.fixed_dictionaries({}, optional={"max": st.integers(0, 100), "backoff": durations}),
        max_size=2,
    ),
    ("timeout",): durations,
    ("grace",): durations,
    ("queue",): st.sampled_from(["default", "big_gpus", "a.b-c"]),
    ("wait_timeout",): durations,
    ("output_limit",): st.sampled_from(["1MB", "200MB", "2GiB", 10**9]),
    ("not_before",): st.sampled_from(["22:00", "2026-12-01 22:00", "2026-12-01T22:00:30+01:00", "+2h"]),
    ("after",): st.lists(words, max_size=2)
    | st.fixed_dictionaries(
        {"jobs": st.lists(words, min_size=1, max_size=2)},
        optional={
            "need": st.sampled_from(["all", "any"]),
            "on_failure": st.sampled_from(["fail", "cancel", "run"]),
        },
    ),
    ("notify",): st.lists(
        st.fixed_dictionaries(
            {"url": st.sampled_from(["env:SLACK_URL", "http://box/hook"])},
            optional={"on": st.lists(st.sampled_from(["started", "failed"]), min_size=1, max_size=2)},
        ),
        max_size=2,
    ),
    ("tags",): st.lists(words, max_size=2),
    ("env",): st.dictionaries(st.from_regex(r"\A[A-Z_]{1,8}\Z"), st.text(max_size=10), max_size=2),
    ("code",): st.sampled_from(["none", {}, {"path": "src", "exclude": ["*.bin"]}]),
    ("sweep",): st.none(),
}
NEEDED = ("model", "data", "loss", "optimizer")

sweeps = st.sampled_from(
    [
        {"params": {"optimizer.lr": [0.1, 0.01]}},
        {"params": {"train.epochs": {"choice": [1, 2]}, "priority": [1]}, "max_parallel": 1},
        {
            "method": "random",
            "trials": 2,
            "seed": 3,
            "params": {"optimizer.lr": {"loguniform": [1e-4, 1.0]}, "train.seed": {"int": [0, 9]}},
        },
        {"method": "list", "params": [{"priority": 1}, {"priority": 2, "train.epochs": 3}]},
    ]
)


def section(model: type[Section], path: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Blocks of a section: some of its keys, each with a value that it may have."""
    found = {name: _value(field, (*path, name)) for name, field in model.model_fields.items()}
    needed = {name: found[name] for name in found if path == () and name in NEEDED}
    return st.fixed_dictionaries(needed, optional={name: found[name] for name in found if name not in needed})


def _value(field: FieldInfo, path: tuple[str, ...]) -> st.SearchStrategy[Any]:
    if path in SPECIAL:
        return SPECIAL[path]
    kind = _plain(field.annotation)
    if isinstance(kind, type) and issubclass(kind, Section):
        return section(kind, path)
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return st.lists(st.sampled_from(typing.get_args(_plain(typing.get_args(kind)[0]))), max_size=2)
    if kind is bool:
        return st.booleans()
    if kind in (int, float):
        return _number(kind, field.metadata)
    assert kind is str, f"no strategy for {path}: {kind}"
    return words


def _plain(annotation: Any) -> Any:
    """The type without `| None` and without annotations."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return _plain(next(a for a in typing.get_args(annotation) if a is not type(None)))
    return annotation


def _number(kind: type, limits: list[Any]) -> st.SearchStrategy[Any]:
    low = max((x.ge if isinstance(x, Ge) else x.gt + 1 for x in limits if isinstance(x, Ge | Gt)), default=0)
    high = min(
        (x.le if isinstance(x, Le) else x.lt - 1 for x in limits if isinstance(x, Le | Lt)), default=1000
    )
    if kind is int:
        return st.integers(low, min(high, low + 10_000))
    return st.sampled_from([0.1, 0.25, 0.5])


jobs = section(JobSpec)
jobs_with_sweeps = st.builds(lambda job, sweep: {**job, "sweep": sweep}, jobs, sweeps)
