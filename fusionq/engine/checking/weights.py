"""Whether the weights that a job begins with are there and fit its model, by names and shapes alone."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from fusionq.engine.checking.findings import Findings
from fusionq.engine.weights import WeightsSource, find_weights, fit, read_weights
from fusionq.errors import CheckpointError
from fusionq.spec.job import JobSpec
from fusionq.spec.targets import FROM

PLACE = ("model", FROM)
_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".tar", ".pkl", ".pickle", ".model", ".weights")


def check_weights(
    spec: JobSpec, model: nn.Module | None, workdir: Path, runs: Path | None, findings: Findings
) -> None:
    """Look for the file of `model.from`, in `runs` too where that is known, and compare it with a model that
    was built without numbers. Problems and notes go to the findings.
    """
    if FROM not in spec.model:
        return
    source = WeightsSource.of_model(spec.model)
    file = workdir / source.place
    if runs is None and not file.is_file():
        if _is_path(source.place):
            findings.problem(PLACE, f"there is no file {file}")
        else:
            findings.note(f"model.from: {source.place} is a job; whether its weights fit was not checked")
        return
    try:
        path = find_weights(source.place, runs or workdir, workdir)
        tensors = read_weights(path, source, "meta")
        if model is None or not all(parameter.is_meta for parameter in model.parameters()):
            findings.note(
                "model.from: the model has no shapes to compare; whether its weights fit was not checked"
            )
            return
        fit(model, tensors, source, path)
    except CheckpointError as error:
        findings.problem(PLACE, str(error))


def _is_path(place: str) -> bool:
    """A job may have any name, but nobody calls one like this."""
    return place.endswith(_ENDINGS) or place.startswith(("/", "./", "../", "~"))
