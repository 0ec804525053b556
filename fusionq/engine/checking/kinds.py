"""Whether each target is of the kind that its place needs, as far as its class tells."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer

from fusionq.engine.base_model import BaseModel
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.checking.blocks import DATA_KEYS
from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.targets import Targets, find
from fusionq.engine.data.stream import is_stream, no_dataset
from fusionq.engine.data.stream_settings import stream_mistakes
from fusionq.engine.exporting import check_formats
from fusionq.engine.standard_model import StandardModel
from fusionq.errors import EngineError
from fusionq.spec.job import JobSpec
from fusionq.spec.targets import TARGET

_HOOKS = {"train": "__train_func__", "evaluate": "__eval_function__", "predict": "__predict_func__"}


def check_kinds(spec: JobSpec, targets: Targets, findings: Findings) -> None:
    """Note a problem for each target that is of the wrong kind, and for settings that cannot hold."""
    _check_trainer(spec, targets.get(("trainer",)), findings)
    optimizer = targets.get(("optimizer",))
    if isinstance(optimizer, type) and not issubclass(optimizer, Optimizer):
        findings.problem(("optimizer",), f"{optimizer.__name__} is not a torch.optim.Optimizer")
    for i in range(len(spec.callbacks)):
        callback = targets.get(("callbacks", i))
        if isinstance(callback, type) and not issubclass(callback, Callback):
            findings.problem(("callbacks", i), f"{callback.__name__} does not extend fusionq.Callback")
    for key in DATA_KEYS:
        check_dataset(targets.get(("data", key)), ("data", key), findings)
    check_stream_settings(spec, targets.get(("data", "train")), findings)
    if spec.data.collate_fn is not None:
        place = ("data", "collate_fn")
        collate = find(spec.data.collate_fn, place, findings)
        if collate is not None and not callable(collate):
            findings.problem(place, f"{spec.data.collate_fn} is not a function")
    try:
        check_formats(spec.export)
    except EngineError as error:
        findings.problem(("export",), error.message.replace(" on this worker;", ";"))


def check_dataset(dataset: Any, place: tuple[str, ...], findings: Findings) -> None:
    """A data set, or its class: it needs a length and items, or to be iterable."""
    kind = dataset if isinstance(dataset, type) else type(dataset)
    is_known = isinstance(dataset, type) or not callable(dataset)  # what a function returns is seen later
    is_right = is_stream(kind) or (hasattr(kind, "__len__") and hasattr(kind, "__getitem__"))
    if dataset is not None and is_known and not is_right:
        findings.problem(place, no_dataset(kind))


def check_stream_settings(spec: JobSpec, dataset: Any, findings: Findings) -> None:
    """What the job says of `data.train`, or of its class, that no stream can do."""
    kind = dataset if isinstance(dataset, type) else type(dataset)
    if is_stream(kind):
        for place, words in stream_mistakes(spec, kind.__name__):
            findings.problem(place, words)


def _check_trainer(spec: JobSpec, trainer: Any, findings: Findings) -> None:
    if trainer is None:
        return
    if not (isinstance(trainer, type) and issubclass(trainer, BaseModel)):
        findings.problem(
            ("trainer",), f"{spec.trainer[TARGET]} is not a class that extends fusionq.BaseModel"
        )
        return
    if spec.task == "train" and trainer.__train_func__ is StandardModel.__train_func__:
        for key in (key for key in ("loss", "optimizer") if getattr(spec, key) is None):
            findings.problem(
                (key,), f"the key {key!r} is missing; {trainer.__name__} trains as StandardModel"
            )
    needed = [_HOOKS[spec.task]]
    if spec.task == "train" and (spec.metrics.test or spec.metrics.val):
        needed.append(_HOOKS["evaluate"])
    lacking = [hook for hook in needed if getattr(trainer, hook) is getattr(BaseModel, hook)]
    if lacking:
        findings.problem(("trainer",), f"{trainer.__name__} must define {' and '.join(lacking)}")
