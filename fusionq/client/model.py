"""A trained network, built anew from its job file. The only place here that needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fusionq.engine.build import build
from fusionq.spec.load import parse_job
from fusionq.spec.targets import without_loading


def best_model(spec: Mapping[str, Any], path: Path, job_id: str) -> nn.Module:
    """The network that `spec` describes with the weights in `path`, on the CPU, in eval mode."""
    block = parse_job(spec, job_id).model
    model = build(without_loading(block), "model")
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.eval()
