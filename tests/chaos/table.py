"""The report of a campaign as text."""

from __future__ import annotations

from tests.chaos.campaign import GRACE_S, Report


def text_of(report: Report) -> str:
    verdict = report.verdict
    faults = [f"  {name.replace('_', ' '):24} {count:4}" for name, count in sorted(report.faults.items())]
    bar = report.lease_s + GRACE_S
    rows = [
        ("faults injected", report.faults.total()),
        ("jobs", report.jobs),
        ("attempts", report.attempts),
        ("batches trained", report.batches),
        ("jobs lost", len(verdict.lost)),
        ("jobs doubled", len(verdict.doubled)),
        ("results that differ", len(verdict.different)),
        ("left behind", len(verdict.left)),
        ("deaths of workers", len(report.recoveries)),
        ("death to training, median", f"{report.median_s:.1f} s"),
        ("death to training, worst", f"{report.worst_s:.1f} s (bar: {bar:g} s; lease {report.lease_s:g} s)"),
        ("the same, soon after an outage", " ".join(f"{s:.1f} s" for s in report.after_outage) or "none"),
    ]
    lines = ["faults", *faults, "", *(f"{name:31} {value}" for name, value in rows)]
    lines += [f"not possible here: {name}" for name in report.skipped]
    lines += [f"  {what}" for found in vars(verdict).values() for what in found]
    return "\n".join([*lines, "", "every promise kept" if report.is_good else "A PROMISE WAS BROKEN"])
