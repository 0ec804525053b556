"""What a job came to, in one short text: the same for two jobs whose results are the same to the last bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from fusionq.spec.paths import RunPaths
from fusionq.spec.record import JobRecord


def digest_of(record: JobRecord) -> str:
    """Of its last weights, its best weights and its history."""
    paths = RunPaths(Path(record.run_dir))
    last = max(paths.checkpoints.glob("*.pt"), key=lambda path: path.name)
    digest = hashlib.sha256()
    at_last = torch.load(last, weights_only=True, map_location="cpu")["model"]
    at_best = torch.load(record.result["best_model"], weights_only=True, map_location="cpu")
    for state in (at_last, at_best):
        for name in sorted(state):
            digest.update(name.encode() + state[name].contiguous().numpy().tobytes())
    digest.update(paths.history.read_bytes())
    return digest.hexdigest()
