"""What a job measured, epoch by epoch."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from fusionq.spec.events import EpochEnd
from fusionq.spec.metric_keys import EPOCH
from fusionq.spec.progress import share_done
from fusionq.spec.record import JobRecord
from fusionq.store.store import Store

if TYPE_CHECKING:
    import pandas

Row = dict[str, float]


class Metrics(Sequence[Row]):
    """A row for each epoch: {"epoch": 1, "train_loss": 0.4, "test_accuracy": 0.93, "duration_s": 1.4, …}."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = list(rows)

    @classmethod
    def of_points(cls, points: Iterable[Mapping[str, Any]]) -> Metrics:
        """From the points that a job told; an epoch that a later attempt repeated counts once."""
        by_epoch = {point["epoch"]: _row(point) for point in points if point["kind"] == EpochEnd.kind}
        return cls(by_epoch[epoch] for epoch in sorted(by_epoch))

    @classmethod
    def within_epochs(cls, points: Iterable[Mapping[str, Any]]) -> Metrics:
        """From the same points, a row for each, at its place within its epoch: {"epoch": 0.25, …}."""
        return cls(
            {EPOCH: share_done(point) * point["num_epochs"], **_numbers(point["values"])}
            for point in points
            if point.get("values") and point.get("num_epochs")
        )

    @property
    def names(self) -> list[str]:
        """Of the columns, in their order."""
        return list(dict.fromkeys(name for row in self._rows for name in row))

    @property
    def last(self) -> Row:
        """The row of the last epoch; {} where there is none yet."""
        return dict(self._rows[-1]) if self._rows else {}

    def column(self, name: str) -> list[float]:
        """One value over the epochs; not a number where an epoch lacks it."""
        return [row.get(name, float("nan")) for row in self._rows]

    def to_csv(self) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.names, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(self._rows)
        return text.getvalue()

    def to_pandas(self) -> pandas.DataFrame:
        """As a pandas DataFrame with the epoch as its index. Needs pandas."""
        import pandas

        frame = pandas.DataFrame(self._rows)
        return frame.set_index(EPOCH) if self._rows else frame

    def __getitem__(self, index: Any) -> Any:
        return Metrics(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"Metrics({len(self)} epochs: {', '.join(self.names)})"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.names)
        rows = ("".join(f"<td>{row.get(name, float('nan')):.4g}</td>" for name in self.names) for row in self)
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def read_metrics(store: Store, record: JobRecord) -> Metrics:
    """What a job measured so far: out of Redis, or from its run folder where that is the only place left."""
    found = Metrics.of_points(store.streams.epochs(record.id))
    return found or Metrics.of_points(_points_in_folder(record, EpochEnd.kind))


def read_progress(store: Store, record: JobRecord) -> Metrics:
    """Returns what a job measured within its epochs, about once a second."""
    return Metrics.within_epochs(store.streams.points(record.id) or _points_in_folder(record))


def _points_in_folder(record: JobRecord, kind: str = "") -> list[dict[str, Any]]:
    """Returns the points that the run folder holds, at least those of this kind; none without a file."""
    if not record.run_dir or not record.paths.metrics.is_file():
        return []
    lines = record.paths.metrics.read_text(encoding="utf-8").splitlines()
    return [point for line in lines if kind in line and (point := _read(line))]


def _row(point: Mapping[str, Any]) -> Row:
    return {EPOCH: point["epoch"], **_numbers(point["values"]), "duration_s": point["duration_s"]}


def _numbers(values: Mapping[str, float | None]) -> Row:
    """JSON has null for what is no number."""
    return {name: math.nan if value is None else value for name, value in values.items()}


def _read(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None  # cut off by a crash
