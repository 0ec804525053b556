"""Keys that are right each by itself and wrong together. Each rule sees the plain data of a job file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fusionq.spec.job import NEEDED, NEEDED_BY_STANDARD_MODEL
from fusionq.spec.metric_keys import TEST, TRAIN, VAL, name_mistake
from fusionq.spec.reader import Path_, dotted
from fusionq.spec.secrets import masked_places
from fusionq.spec.targets import ARGS, FROM, IGNORE, PREFIX, STRICT, TARGET
from fusionq.spec.text_values import as_list
from fusionq.spec.units import Interval

Mistake = tuple[Path_, str]


def mistakes_of(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every combination that cannot be, with its path."""
    for rule in RULES:
        yield from rule(data)


def missing_in(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """The keys that the job's task needs and the file lacks; a parent that is wrong itself was told."""
    task = data.get("task", "train")
    needed = NEEDED.get(task, ()) if isinstance(task, str) else ()
    if task == "train" and not _has_own_trainer(data):
        needed = (*needed, *NEEDED_BY_STANDARD_MODEL)
    for path in needed:
        parent = _at(data, *path[:-1])
        if isinstance(parent, dict) and parent.get(path[-1]) in (None, []):
            words = f"the key {'.'.join(path)!r} is missing"
            yield path, words if task == "train" else f"{words}; the task {task} needs it"


def _has_own_trainer(data: Mapping[str, Any]) -> bool:
    """Whether the trainer is not ours: one of the user's may make its loss and its optimizer itself."""
    name = _at(data, "trainer", TARGET)
    return isinstance(name, str) and not (name.startswith("fusionq.") and name.endswith(".StandardModel"))


def _at(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _test_data(data: Mapping[str, Any]) -> Iterator[Mistake]:
    is_training = data.get("task", "train") == "train"
    if is_training and _at(data, "metrics", "test") and _at(data, "data", "test") is None:
        yield ("metrics", "test"), "metrics.test needs data.test"


def _validation_data(data: Mapping[str, Any]) -> Iterator[Mistake]:
    val, fraction = _at(data, "data", "val"), _at(data, "data", "val_fraction")
    if _at(data, "metrics", "val") and val is None and fraction is None:
        yield ("metrics", "val"), "metrics.val needs data.val or data.val_fraction"
    if val is not None and fraction is not None:
        yield (
            ("data", "val_fraction"),
            "data.val and data.val_fraction are two ways to say one thing; keep one",
        )


def _gpu_memory(data: Mapping[str, Any]) -> Iterator[Mistake]:
    gpus = _at(data, "resources", "gpus")
    if _at(data, "resources", "gpu_memory") is not None and gpus == 0 and not isinstance(gpus, bool):
        yield ("resources", "gpu_memory"), "gpu_memory asks for memory of a GPU, and resources.gpus is 0"
    if _at(data, "resources", "gpu_type") and gpus == 0 and not isinstance(gpus, bool):
        yield ("resources", "gpu_type"), "gpu_type asks for a GPU, and resources.gpus is 0"
    if _at(data, "resources", "gpu_memory") is not None and _is_many(gpus):
        yield ("resources", "gpu_memory"), "gpu_memory is a share of one GPU; several are had whole"


def _processes(data: Mapping[str, Any]) -> Iterator[Mistake]:
    gpus, processes = _at(data, "resources", "gpus"), _at(data, "resources", "processes")
    task = data.get("task", "train")
    if _is_many(_at(data, "resources", "nodes")) and task != "train":
        yield ("resources", "nodes"), f"the task {task} runs on one worker"
    elif _is_many(processes) and task != "train":
        yield ("resources", "processes"), f"the task {task} runs in one process"
    elif _is_many(gpus) and processes in (None, "auto") and task != "train":
        yield ("resources", "gpus"), f"the task {task} runs in one process, on one GPU"
    elif _is_many(processes) and isinstance(gpus, int) and gpus not in (0, processes):
        yield (
            ("resources", "processes"),
            f"{processes} processes need {processes} GPUs, or none; resources.gpus is {gpus}",
        )


def _is_many(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 1


def _warmup(data: Mapping[str, Any]) -> Iterator[Mistake]:
    try:
        interval = Interval.parse(_at(data, "train", "warmup") or "1ep")
    except ValueError:
        return  # told already
    if interval.seconds:
        yield (
            ("train", "warmup"),
            "train.warmup counts batches or epochs, such as 500ba or 1ep, not time",
        )


def _weights_of_another(data: Mapping[str, Any]) -> Iterator[Mistake]:
    source = _at(data, "model", FROM)
    if source is not None and not isinstance(source, str):
        yield ("model", FROM), f"model.from names a job or a file, but this is {source!r}"
    if source is None:
        return
    strict, prefix = _at(data, "model", STRICT), _at(data, "model", PREFIX)
    ignore = _at(data, "model", IGNORE)
    if strict is not None and not isinstance(strict, bool):
        yield ("model", STRICT), f"model.strict: expected true or false, but this is {strict!r}"
    if prefix is not None and not isinstance(prefix, str):
        yield ("model", PREFIX), f"model.prefix: expected text, such as 'backbone.', but this is {prefix!r}"
    names = as_list(ignore)
    if ignore is not None and not (isinstance(names, list) and all(isinstance(i, str) for i in names)):
        yield ("model", IGNORE), "model.ignore: expected a list of names, such as [head] or ['*.bias']"


def _masked_secrets(data: Mapping[str, Any]) -> Iterator[Mistake]:
    for path in masked_places(data):
        yield path, f"{dotted(path)}: a secret was masked here; write it again"


def _steps_of_the_optimizer(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """What happens at a step of the job's optimizer does not happen at those of a trainer's own."""
    if data.get("optimizer") is not None or not _has_own_trainer(data):
        return
    for path in (("lr_scheduler",), *(("train", key) for key in ("clip_grad_norm", "warmup", "ema"))):
        if _at(data, *path) is not None:
            yield (
                path,
                f"{'.'.join(path)} needs the job's optimizer: add `optimizer`, or leave it to your trainer",
            )


PLATEAU_PER_STEP = (
    "lr_scheduler: ReduceLROnPlateau watches the monitored value, which there is once an epoch; "
    "train.lr_interval: step needs another scheduler"
)


def _plateau_per_step(data: Mapping[str, Any]) -> Iterator[Mistake]:
    target = _at(data, "lr_scheduler", TARGET)
    is_plateau = isinstance(target, str) and target.rpartition(".")[2] == "ReduceLROnPlateau"
    if is_plateau and _at(data, "train", "lr_interval") == "step":
        yield ("train", "lr_interval"), PLATEAU_PER_STEP


def _metric_names(data: Mapping[str, Any]) -> Iterator[Mistake]:
    for phase in (TRAIN, VAL, TEST):
        blocks = _at(data, "metrics", phase)
        names = [_metric_name(block) for block in blocks] if isinstance(blocks, list) else []
        # Without a loss function only training has a loss: what the trainer itself adds up.
        has_loss = phase == TRAIN or bool(data.get("loss"))
        if mistake := name_mistake(phase, [name for name in names if name], has_loss=has_loss):
            yield ("metrics", phase), mistake


def _metric_name(block: Any) -> str:
    """The name of a metric where the block says it, or fusionq knows it; else ''."""
    if not isinstance(block, dict) or not isinstance(block.get(TARGET), str):
        return ""
    args = block.get(ARGS)
    target, first = block[TARGET], args[0] if isinstance(args, list) and args else None
    is_ours = target.startswith("fusionq.")
    name = block.get("name", first if is_ours else None)
    if isinstance(name, str):
        return name
    if name is not None or not is_ours:
        return ""
    top = block.get("topK", 1)
    return {"fusionq.MSE": "MSE", "fusionq.Accuracy": "Accuracy" if top == 1 else f"Top {top} Accuracy"}.get(
        target, ""
    )


RULES = (
    _steps_of_the_optimizer,
    _test_data,
    _validation_data,
    _gpu_memory,
    _processes,
    _warmup,
    _weights_of_another,
    _masked_secrets,
    _plateau_per_step,
    _metric_names,
)
