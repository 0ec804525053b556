"""What was measured, as the rows of one table with the bar that each has to meet."""

from __future__ import annotations

from dataclasses import asdict, dataclass

HEAD = "| | what | figure | times fusionq's | bar | |\n|---|---|---|---|---|---|"
_FORMS = {"s": "{:,.2f} s", "ms": "{:,.1f} ms", "%": "{:.2f} %", "KB": "{:.2f} KB"}


@dataclass(frozen=True)
class Row:
    """`value` is None for what took no part; `note` says why, or what is to be known of the figure."""

    part: str
    what: str
    value: float | None
    unit: str
    times: float | None = None  # the figure over that of fusionq
    bar: float | None = None  # the figure must be below it
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        return None if self.bar is None or self.value is None else self.value < self.bar

    @property
    def figure(self) -> str:
        if self.value is None:
            return "–"
        return _FORMS.get(self.unit, "{:,.1f} " + self.unit).format(self.value)

    def __str__(self) -> str:
        what = f"{self.what} ({self.note})" if self.note else self.what
        times = "" if self.times is None else f"{self.times:.2f}"
        bar = "" if self.bar is None else f"< {self.bar:g} {self.unit}"
        met = {None: "", True: "met", False: "**not met**"}[self.is_met]
        return f"| {self.part} | {what} | {self.figure} | {times} | {bar} | {met} |"

    def to_json(self) -> dict:
        return {**asdict(self), "is_met": self.is_met}
