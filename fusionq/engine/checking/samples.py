"""One sample of each data set, as the model will see it; nothing is downloaded for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision.datasets import CIFAR10, MNIST
from torchvision.transforms.v2 import functional

from fusionq.engine.build import build
from fusionq.engine.checking.building import one_line
from fusionq.engine.checking.dataset_opening import Openings, open_dataset
from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.kinds import check_dataset, check_stream_settings
from fusionq.engine.checking.known_datasets import Known, known_form
from fusionq.engine.checking.meta_errors import only_lacks_numbers
from fusionq.engine.checking.targets import Targets
from fusionq.engine.data.digits import Digits
from fusionq.engine.data.stream import is_stream
from fusionq.spec.job import JobSpec
from fusionq.spec.reader import Path_, dotted

Steps = Sequence[tuple[Path_, Any]]
"""Transforms with their places, in order."""

# The engine holds the pictures of these as tensors, so it needs no transform that makes them ones.
_HELD = (MNIST.__getitem__, CIFAR10.__getitem__, Digits.__getitem__)


@dataclass(frozen=True)
class Sample:
    """`value` went through the transforms. The numbers are None where they are not cheaply known."""

    value: Any
    num_classes: int | None = None
    num_samples: int | None = None


class Samples:
    """Gives samples, of the data sets that are open already or out of those that it opens itself."""

    def __init__(
        self, spec: JobSpec, targets: Targets, data_root: Path | None, opened: Openings, findings: Findings
    ) -> None:
        self._spec = spec
        self._targets = targets
        self._data_root = data_root
        self._opened = opened
        self._findings = findings

    def of(self, key: str, steps: Steps, *, may_open: bool) -> Sample | None:
        """A sample of `data.<key>`; None where it cannot be had, or after a problem or a note."""
        place = ("data", key)
        block = getattr(self._spec.data, key)
        if block is None or self._findings.is_wrong(*place):
            return None
        known = known_form(block)
        if known is not None:
            sample = self._of_known(known, block.get("transform"), place)
        else:
            sample = self._of_opened(key, place) if may_open else None
        if sample is None:
            return None
        value = self._transformed(sample.value, steps, self._targets.get(place))
        return None if value is None else Sample(value, sample.num_classes, sample.num_samples)

    def _of_known(self, known: Known, own: Any, place: Path_) -> Sample | None:
        picture = known.picture
        if own is not None:
            try:
                picture = build(own, f"{dotted(place)}.transform")(picture)
            except Exception as error:
                self._findings.problem((*place, "transform"), one_line(error))
                return None
        return Sample((picture, 0), known.num_classes, known.num_samples)

    def _of_opened(self, key: str, place: Path_) -> Sample | None:
        opening = self._opened.get(key) or open_dataset(self._spec, key, self._data_root)
        dataset, error = opening.dataset, opening.error
        if error is not None:
            cause = error.__cause__ or error
            if isinstance(cause, RuntimeError | SystemExit) or only_lacks_numbers(cause):
                self._findings.note(f"{dotted(place)}: it cannot be opened here; shapes were not checked")
            else:
                self._findings.problem(place, str(error))
            return None
        if dataset is None:
            self._findings.note(f"{dotted(place)}: the data is not on this machine; shapes were not checked")
            return None
        check_dataset(dataset, place, self._findings)
        if key == "train" and not self._findings.problems:  # its class has not told all
            check_stream_settings(self._spec, dataset, self._findings)
        if self._findings.is_wrong(*place):
            return None
        try:
            if not is_stream(type(dataset)):
                return Sample(dataset[0], _num_classes(dataset), len(dataset))
            for value in dataset:
                return Sample(value, _num_classes(dataset))
            self._findings.problem(place, f"{type(dataset).__name__} yields no sample")
            return None
        except Exception as error:
            self._findings.note(
                f"{dotted(place)}: its first sample cannot be read here ({one_line(error)}); "
                "shapes were not checked"
            )
            return None

    def _transformed(self, value: Any, steps: Steps, dataset: Any) -> Any:
        is_row = isinstance(value, tuple | list)
        inputs = value[0] if is_row else value
        for place, step in steps:
            try:
                inputs = step(inputs)
            except Exception as error:
                name = getattr(step, "__name__", type(step).__name__)
                self._findings.problem(place, f"{name}: {one_line(error)}")
                return None
        if isinstance(inputs, Image.Image):
            if getattr(dataset, "__getitem__", None) not in _HELD:
                self._findings.problem(
                    ("data", "transform"), "samples are pictures, not tensors; add {_target_: ToTensor}"
                )
                return None
            inputs = functional.pil_to_tensor(inputs)
        return (inputs, *value[1:]) if is_row else inputs


def _num_classes(dataset: Any) -> int | None:
    classes = getattr(dataset, "classes", None)
    if isinstance(classes, list | tuple) and classes:
        return len(classes)
    targets = getattr(dataset, "targets", None)
    try:
        return int(max(targets)) + 1 if isinstance(targets, list) else int(targets.max()) + 1
    except Exception:
        return None  # something else that is called so
