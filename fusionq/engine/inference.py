"""Evaluation and prediction as jobs of their own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fusionq.engine.assembly import Assembly
from fusionq.engine.data.batches import to_device
from fusionq.engine.data.rows import inputs_of
from fusionq.engine.evaluation import Evaluation, Testing, measured
from fusionq.engine.files import write_whole
from fusionq.engine.stopping import StopToken
from fusionq.spec.metric_keys import TEST


def evaluate_job(assembly: Assembly, stop: StopToken) -> dict[str, Any] | None:
    """Measure the model on data.test. None where it was stopped."""
    metrics = assembly.test_metrics()
    loss_fn = assembly.loss()
    test = Testing(TEST, assembly.test_batches(), metrics)
    measured(assembly.trainer, loss_fn, (), [test])
    evaluation = Evaluation(assembly.trainer, test, loss_fn)
    if not evaluation.run(stop):
        return None
    values = evaluation.values()
    print("  ".join(f"{key} {value:.4f}" for key, value in values.items()), flush=True)
    return {"values": values}


def predict_job(assembly: Assembly, stop: StopToken) -> dict[str, Any] | None:
    """The outputs for data.test, as predictions.npz and predictions.csv. None where it was stopped.

    The npz holds `outputs` of shape (N, …); the CSV a row for each sample, in the order of the data set,
    with the class of the highest score first where the outputs are scores of shape (N, classes).
    """
    outputs = []
    for some in _outputs(assembly):
        outputs.append(some)
        if stop.requested:
            return None
    joined = torch.cat(outputs).float().numpy()
    paths = assembly.job.paths
    write_whole(paths.predictions_npz, lambda handle: np.savez(handle, outputs=joined))
    text = _csv(joined)
    write_whole(paths.predictions_csv, lambda handle: handle.write(text.encode()))
    print(f"{len(joined)} predictions in {paths.predictions_npz} and {paths.predictions_csv}", flush=True)
    return {"predictions": len(joined), "files": [str(paths.predictions_npz), str(paths.predictions_csv)]}


def _outputs(assembly: Assembly) -> Iterator[Tensor]:
    trainer = assembly.trainer
    trainer.model.eval()
    with torch.no_grad():
        for batch in assembly.test_batches().epoch(0):
            yield trainer.__predict_func__(to_device(inputs_of(batch), trainer.device)).cpu()


def _csv(outputs: np.ndarray) -> str:
    flat = outputs.reshape(len(outputs), -1)
    has_scores = outputs.ndim == 2 and flat.shape[1] > 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"output_{i}" for i in range(flat.shape[1])]
    writer.writerow(["index", *(["class"] if has_scores else []), *names])
    for index, row in enumerate(flat.tolist()):
        writer.writerow([index, *([int(np.argmax(row))] if has_scores else []), *row])
    return text.getvalue()
