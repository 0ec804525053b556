"""Rows (a) and (b): the same small training through each queue, in turn."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.queueing.contestants import CONTESTANTS, Begun, Contestant, Field
from benchmarks.queueing.installation import SLOTS
from benchmarks.queueing.report import Row

BAR_MS = 150.0


@dataclass(frozen=True)
class Length:
    """`few` is for those that start a Python for each training."""

    rounds: int = 7
    many: int = 200
    few: int = 12


SMALL = Length(rounds=2, many=4, few=2)


@dataclass
class Measured:
    first_step_ms: list[float] = field(default_factory=list)
    per_minute: float | None = None
    trained: int = 0
    absent: str = ""


def race(ground: Field, length: Length, *, with_peers: bool = True) -> Iterator[Row]:
    """All take turns, round by round; then each has its many trainings. Who does not start is told."""
    runners = [one for one in CONTESTANTS if with_peers or one.begin.__name__ == "fusionq"]
    measured = {one.name: Measured() for one in runners}
    with ExitStack() as open_:
        begun: list[tuple[Contestant, Begun]] = []
        for one in runners:
            try:
                ready = _begin(one, ground)
            except (RuntimeError, TimeoutError, OSError) as error:
                if one is runners[0]:
                    raise
                measured[one.name].absent = f"does not take part: {error}"
                continue
            open_.callback(ready.close)
            begun.append((one, ready))
        for _ in range(length.rounds):
            for one, ready in begun:
                told = ready.driver.train(1)
                measured[one.name].first_step_ms.append((told.first_steps[0] - told.began) * 1e3)
        for one, ready in begun:
            _train_many(one, ready, length, measured[one.name])
    yield from _rows(measured)


def _begin(one: Contestant, ground: Field) -> Begun:
    """Ready and warm: as many trainings as there are slots, twice, do not count."""
    print(f"starting: {one.name}", file=sys.stderr, flush=True)
    if one.package and (why := ground.peers.install(one.package)):
        raise RuntimeError(why)
    ready = one.begin(ground)
    try:
        for _ in range(2 if one.is_warm else 1):
            ready.driver.train(SLOTS)
    except BaseException:
        ready.close()
        raise
    return ready


def _train_many(one: Contestant, ready: Begun, length: Length, measured: Measured) -> None:
    print(f"many: {one.name}", file=sys.stderr, flush=True)
    measured.trained = length.many if one.is_warm else min(length.few, length.many)
    told = ready.driver.train(measured.trained)
    measured.per_minute = 60 * measured.trained / (told.ended - told.began)


def _rows(measured: dict[str, Measured]) -> Iterator[Row]:
    own = next(iter(measured.values()))
    for name, m in measured.items():
        if m.absent:
            yield Row("a", name, None, "ms", note=m.absent)
            continue
        median = statistics.median(m.first_step_ms)
        spread = f"{min(m.first_step_ms):,.0f} to {max(m.first_step_ms):,.0f} ms"
        times = median / statistics.median(own.first_step_ms)
        bar = BAR_MS if m is own else None
        yield Row("a", f"submit to first training step: {name}", median, "ms", times, bar, spread)
    for name, m in measured.items():
        if m.per_minute is not None:
            what = f"{m.trained} trainings on {SLOTS} slots: {name}"
            yield Row("b", what, m.per_minute, "per minute", m.per_minute / own.per_minute)
