"""Which files of a run folder are meant by a word: the model, the logs, the metrics, …"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from fusionq.spec.paths import RunPaths

BEST, LOGS, METRICS, CHECKPOINTS = "best", "logs", "metrics", "checkpoints"

_PARTS: dict[str, Callable[[RunPaths], tuple[Path, ...]]] = {
    BEST: lambda run: (run.best_models,),
    LOGS: lambda run: (run.output_log, run.epoch_log, run.ranks),
    METRICS: lambda run: (run.metrics, run.metrics_csv, run.history, run.result, run.plots, run.tensorboard),
    CHECKPOINTS: lambda run: (run.checkpoints,),
}
PARTS = tuple(_PARTS)


def files_of(run: RunPaths, parts: Collection[str]) -> list[Path]:
    """The files of these parts, sorted; without any, all but the checkpoints. Links are left out."""
    if parts:
        tops = [top for part in PARTS if part in parts for top in _PARTS[part](run)]
    else:
        tops = [top for top in run.root.iterdir() if top != run.checkpoints] if run.root.is_dir() else []
    return sorted({file for top in tops for file in _files_in(top)})


def _files_in(top: Path) -> Iterator[Path]:
    found = top.rglob("*") if top.is_dir() and not top.is_symlink() else (top,)
    yield from (file for file in found if file.is_file() and not file.is_symlink())
