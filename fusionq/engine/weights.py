"""Weights for a model out of a file, or out of the run of another job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fusionq.errors import CheckpointError
from fusionq.spec.paths import RunPaths
from fusionq.spec.printable import one_line, text_of


def load_weights(model: nn.Module, source: str, paths: RunPaths, workdir: Path) -> Path:
    """Load what `model.from` names: a file, or the id of a job whose best model is meant.

    `paths` are the run folder of the present job; other jobs' folders lie beside it. Raises CheckpointError.
    """
    path = _find(source, paths, workdir)
    try:
        model.load_state_dict(_read(path))
    except Exception as error:
        cause = one_line(text_of(error), 300)
        raise CheckpointError(f"model.from: {path} does not fit this model: {cause}") from error
    print(f"weights from {path}", flush=True)
    return path


def _find(source: str, paths: RunPaths, workdir: Path) -> Path:
    file = workdir / source
    if file.is_file():
        return file
    run = RunPaths(paths.root.parent / source)
    if run.result.is_file():
        best = Path(json.loads(run.result.read_text(encoding="utf-8")).get("best_model") or "")
        # The folder may have moved since; the name in it has not.
        return run.best_models / best.name if best.name else run.best_models
    raise CheckpointError(f"model.from: there is neither a file {file} nor a finished run {run.root}")


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
