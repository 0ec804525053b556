"""The deep check of a job: everything that can be known before it trains, without a GPU and without data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fusionq.engine.build import find_target
from fusionq.engine.checking.batch import Batch, batch_of
from fusionq.engine.checking.blocks import DATA_KEYS, model_block
from fusionq.engine.checking.building import Builder, PlacedError, one_line
from fusionq.engine.checking.child import hide_gpus
from fusionq.engine.checking.dataset_opening import Openings
from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.footprint import estimate
from fusionq.engine.checking.kinds import check_kinds
from fusionq.engine.checking.losses import is_of_torch, small_loss
from fusionq.engine.checking.measures import Measures
from fusionq.engine.checking.rehearsal import Rehearsal, Rehearsing
from fusionq.engine.checking.samples import Sample, Samples, Steps
from fusionq.engine.checking.sandbox import unchanged
from fusionq.engine.checking.single_samples import find_single_sample
from fusionq.engine.checking.steps import StepCheck
from fusionq.engine.checking.targets import Targets, check_targets
from fusionq.engine.checking.trainers import sends_batches
from fusionq.engine.checking.weights import check_weights
from fusionq.engine.eval_hook import measures_loss
from fusionq.spec.job import JobSpec
from fusionq.spec.units import format_bytes
from fusionq.spec.verdict import Verdict


def check_deeply(
    spec: JobSpec,
    workdir: Path,
    data_root: Path | None,
    opened: Openings | None = None,
    runs: Path | None = None,
) -> Verdict:
    """What would end this job, as far as it can be told without training it.

    Downloads nothing, writes nothing, uses no GPU, and leaves torch and the random numbers as they were. It
    builds the user's objects with tensors that hold no numbers, which their code may keep: `run_in_child`.
    `runs` is the folder of other jobs' run folders, where that is known.
    """
    with unchanged(workdir):
        checking = _Checking(spec, workdir, data_root, opened or {}, runs)
        try:
            checking.run()
        except Exception as error:  # a job must never be refused because the check itself is at fault
            checking.findings.note(f"the check ended early ({one_line(error)})")
        findings = checking.findings
        return Verdict(findings.problems, findings.notes, checking.estimate)


class _Checking:
    def __init__(
        self, spec: JobSpec, workdir: Path, data_root: Path | None, opened: Openings, runs: Path | None
    ) -> None:
        self.findings = Findings()
        self.estimate: dict[str, Any] = {}
        self._spec = spec
        self._workdir = workdir
        self._data_root = data_root
        self._runs = runs
        self._opened = opened
        self._targets: Targets = {}
        self._measures: Measures | None = None
        self._num_samples: int | None = None  # to train with
        self._sample: Sample | None = None  # of these

    def run(self) -> None:
        """From what costs nothing to what opens data."""
        self._targets = check_targets(self._spec, self.findings)
        check_kinds(self._spec, self._targets, self.findings)
        steps = StepCheck(self._spec, self._targets, self.findings)
        steps.check_closure()
        trainer = self._targets.get(("trainer",))
        has_loss = hasattr(trainer, "__eval_function__") and measures_loss(
            trainer, self._spec.loss is not None
        )
        self._measures = Measures(self._spec, self.findings, has_loss=has_loss)
        batches = self._batches()
        done = Rehearsal()
        if self._can_build():
            done = Rehearsing(self._spec, self._targets, batches, self.findings).run()
        if batches and len(done.outputs) == len(batches):
            self._check_single_sample(batches[0])
        self._check_loss(batches, done)
        if len(done.outputs) == len(batches):
            self._measures.check_forms(batches, done.outputs)
        if done.model is not None and done.optimizer is not None:
            steps.check_optimizer(done.model)
            steps.check_scheduler(done.optimizer, self._num_samples)
        if done.model is not None:
            self._estimate(done, batches)
        if self._can_build():
            check_weights(self._spec, done.model, self._workdir, self._runs, self.findings)

    def _can_build(self) -> bool:
        block = model_block(self._spec)
        if block is None:
            self.findings.note("model: it is another job's; its shapes were not checked")
        return block is not None and ("model",) in self._targets and not self.findings.is_wrong("model")

    # --- the data --------------------------------------------------------------------------------------

    def _batches(self) -> list[Batch]:
        """The forms of batch that the model will meet, the first to train with; [] where none is known."""
        steps = self._steps()
        if steps is None or not sends_batches(self._spec, self._targets, self.findings):
            return []
        augment, transform = steps
        samples = Samples(self._spec, self._targets, self._data_root, self._opened, self.findings)
        keys = DATA_KEYS if self._spec.task == "train" else ("test",)
        batches: list[Batch] = []
        for i, key in enumerate(keys):
            own = [*augment, *transform] if key == "train" else transform
            sample = samples.of(key, own, may_open=i == 0)
            if i == 0 and sample is not None:
                self._sample, self._num_samples = sample, sample.num_samples
            batch = sample and batch_of(
                sample, self._spec.data.batch_size, self._collate(), ("data", key), self.findings
            )
            if batch and self._is_pair(batch, key) and all(batch.form() != other.form() for other in batches):
                batches.append(batch)
            if not batches:
                break  # nothing is known of the training data
        return batches

    def _collate(self) -> Any:
        name = self._spec.data.collate_fn
        return find_target(name, "data.collate_fn") if name else None

    def _steps(self) -> tuple[Steps, Steps] | None:
        builder = Builder(self._targets)
        found: list[Steps] = []
        for key in ("augment", "transform"):
            if self.findings.is_wrong("data", key):
                return None
            try:
                found.append(
                    [
                        (("data", key, i), builder.build(block, ("data", key, i)))
                        for i, block in enumerate(getattr(self._spec.data, key))
                    ]
                )
            except PlacedError as error:
                self.findings.problem(error.place, error.message)
                return None
        for place, step in (*found[0], *found[1]):
            if not callable(step):
                self.findings.problem(place, f"{type(step).__name__} cannot be called with a sample")
                return None
        return found[0], found[1]

    def _is_pair(self, batch: Batch, key: str) -> bool:
        if self._spec.task == "predict" or (isinstance(batch.parts, tuple | list) and len(batch.parts) == 2):
            return True
        self.findings.problem(
            ("data", key), "its samples are not pairs (inputs, targets), which fusionq.StandardModel needs"
        )
        return False

    def _check_single_sample(self, batch: Batch) -> None:
        """Send one sample alone through the model, where the training will."""
        found = find_single_sample(self._spec, self._num_samples) if self._spec.task == "train" else None
        if found is None or batch.size == 1 or self._sample is None:
            return
        findings = Findings()
        alone = batch_of(self._sample, 1, self._collate(), ("data", "train"), findings)
        if alone is not None:
            Rehearsing(self._spec, self._targets, [alone], findings).run()
        if findings.problems:
            place, message = findings.problems[0]
            self.findings.problem(place, f"{message}; {found.words}; {found.remedy}")

    # --- what follows ----------------------------------------------------------------------------------

    def _check_loss(self, batches: list[Batch], done: Rehearsal) -> None:
        target = self._targets.get(("loss",))
        if self._spec.task != "train" or not is_of_torch(target) or self.findings.is_wrong("loss"):
            return
        hide_gpus()  # a gradient asks torch how many there are
        outputs = targets = num_classes = None
        if batches and done.outputs:
            outputs, num_classes = done.outputs[0], batches[0].num_classes
            targets = _on_meta(batches[0])
            if not isinstance(outputs, torch.Tensor):
                self.findings.problem(
                    ("model",),
                    f"it gives a {type(outputs).__name__}, and {target.__name__} takes a tensor; "
                    "write a trainer, or a loss, of your own that takes it apart",
                )
                return
        small_loss(
            self._spec.loss or {}, Builder(self._targets), outputs, targets, num_classes, self.findings
        )

    def _estimate(self, done: Rehearsal, batches: list[Batch]) -> None:
        spec = self._spec
        batch_bytes = batches[0].num_bytes() if done.outputs else None
        self.estimate = estimate(spec, done.model, done.optimizer, batch_bytes, done.saved_bytes)
        if done.outputs:
            self.estimate["batch_size"] = batches[0].size
        needed, asked = self.estimate.get("memory_bytes"), spec.resources.gpu_memory
        if needed is not None and asked is not None and needed > asked:
            self.findings.problem(
                ("resources", "gpu_memory"),
                f"this job takes about {format_bytes(needed)} at a batch size of {batches[0].size}, "
                f"more than {format_bytes(asked)}; ask for more, or make data.batch_size smaller and "
                "train.gradient_accumulation_steps larger",
            )


def _on_meta(batch: Batch) -> Any:
    with torch.device("meta"):
        return batch.make(batch.parts[1])
