"""The history as a table for other tools."""

from __future__ import annotations

import csv
import io

from fusionq.engine.callbacks.paced_file import PacedFile
from fusionq.engine.files import write_whole
from fusionq.engine.training import Training


class CsvLog(PacedFile):
    """`metrics.csv` in the run folder: a row per epoch, written at most once a second, and at the end."""

    is_optional = True

    def write(self, training: Training) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(training.history.series()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(training.history.rows)
        content = text.getvalue().encode(errors="backslashreplace")
        write_whole(training.paths.metrics_csv, lambda handle: handle.write(content), must_last=False)
