"""What can be said of a job's trainer: whether its hooks are those of StandardModel, which are known."""

from __future__ import annotations

from fusionq.engine.base_model import BaseModel
from fusionq.engine.checking.blocks import model_block
from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.targets import Targets
from fusionq.engine.standard_model import StandardModel
from fusionq.spec.job import JobSpec

_HOOKS = ("__init__", "__train_func__", "__eval_function__", "__predict_func__")


def sends_batches(spec: JobSpec, targets: Targets, findings: Findings) -> bool:
    """Whether what the trainer does with a batch is known, and no mistake stands before it."""
    trainer = targets.get(("trainer",))
    if not (isinstance(trainer, type) and issubclass(trainer, BaseModel)):
        return False
    if findings.is_wrong("data", "collate_fn") or model_block(spec) is None:
        return False
    if any(getattr(trainer, hook) is not getattr(StandardModel, hook) for hook in _HOOKS):
        findings.note(f"trainer: {trainer.__name__} has hooks of its own; shapes were not checked")
        return False
    return True
