"""Rows (a) and (b): the same small training through each queue, in turn."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.queueing.contestants import CONTESTANTS, Begun, Contestant, Field
from benchmarks.queueing.installation import SLOTS
from benchmarks.queueing.report import Row

BAR_MS = 150.0
MORE_THAN_A_MODEL = "with checkpoints, history, plot and record; the others write one model"


@dataclass(frozen=True)
class Length:
    """`few` is for those that start a Python for each training."""

    rounds: int = 7
    many: int = 200
    few: int = 12


SMALL = Length(rounds=2, many=4, few=2)


@dataclass
class _Runner:
    """A contestant and what was measured of it. `absent` says why it cannot take part, or no longer."""

    contestant: Contestant
    begun: Begun | None = None
    first_step_ms: list[float] = field(default_factory=list)
    per_minute: float | None = None
    trained: int = 0
    absent: str = ""

    def begin(self, ground: Field) -> None:
        """Ready and warm: as many trainings as there are slots, twice, do not count."""
        self._say("starting")
        if self.contestant.package and (why := ground.peers.install(self.contestant.package)):
            raise RuntimeError(why)
        self.begun = self.contestant.begin(ground)
        for _ in range(2 if self.contestant.is_warm else 1):
            self.begun.driver.train(SLOTS)

    def train_one(self) -> None:
        told = self.begun.driver.train(1)
        self.first_step_ms.append((told.first_steps[0] - told.began) * 1e3)

    def train_many(self, length: Length) -> None:
        self._say("many")
        self.trained = length.many if self.contestant.is_warm else min(length.few, length.many)
        told = self.begun.driver.train(self.trained)
        self.per_minute = 60 * self.trained / (told.ended - told.began)

    def close(self) -> None:
        if self.begun:
            self.begun.close()

    def _say(self, what: str) -> None:
        print(f"{what}: {self.contestant.name}", file=sys.stderr, flush=True)


def race(ground: Field, length: Length, *, with_peers: bool = True) -> Iterator[Row]:
    """All take turns, round by round; then each has its many trainings."""
    runners = [_Runner(one) for one in (CONTESTANTS if with_peers else CONTESTANTS[:1])]
    try:
        _each(runners, lambda runner: runner.begin(ground))
        for _ in range(length.rounds):
            _each(runners, _Runner.train_one)
        _each(runners, lambda runner: runner.train_many(length))
    finally:
        for runner in runners:
            runner.close()
    yield from _rows(runners)


def _each(runners: list[_Runner], act: Callable[[_Runner], None]) -> None:
    """A peer that breaks off keeps nobody else from being measured; fusionq, the first, must not."""
    for runner in runners:
        if runner.absent:
            continue
        try:
            act(runner)
        except (RuntimeError, TimeoutError, OSError) as error:
            if runner is runners[0]:
                raise
            runner.absent = f"does not take part: {error}"


def _rows(runners: list[_Runner]) -> Iterator[Row]:
    own = runners[0]
    for one in runners:
        name = one.contestant.name
        if one.absent:
            yield Row("a", name, None, "ms", note=one.absent)
            continue
        median = statistics.median(one.first_step_ms)
        spread = f"{min(one.first_step_ms):,.0f} to {max(one.first_step_ms):,.0f} ms"
        times = median / statistics.median(own.first_step_ms)
        bar = BAR_MS if one is own else None
        yield Row("a", f"submit to first training step: {name}", median, "ms", times, bar, spread)
    for one in runners:
        if not one.absent:
            what = f"{one.trained} trainings on {SLOTS} slots: {one.contestant.name}"
            note = MORE_THAN_A_MODEL if one is own else ""
            yield Row("b", what, one.per_minute, "per minute", one.per_minute / own.per_minute, note=note)
