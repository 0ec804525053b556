"""The engine against bare loops and other trainers: `python -m benchmarks.engine`.

Every contestant runs in a process of its own, in turn, several rounds; the median of the seconds per epoch
(training and evaluation, the first epoch not counted) is compared within the run, as ratios. Threads are
pinned. The peers are installed into an environment that the benchmark makes beside the present one, which
it borrows torch from.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch

from benchmarks.peers import Peers

PEERS = ("lightning", "pytorch-ignite", "keras", "accelerate", "skorch")
ROOT = Path(__file__).parents[1]
TIMEOUT_S = 900


@dataclass(frozen=True)
class Contestant:
    letter: str
    name: str
    module: str
    is_peer: bool = False
    options: tuple[str, ...] = ()


CONTESTANTS = (
    Contestant("a", "fusionq, job file", "fusionq_job"),
    Contestant("b", "fusionq, guide's script, 2 loader workers", "guide_script"),
    Contestant(
        "c4", "guide's recipe, bare loop, 4 loader workers", "guide_recipe", options=("--loader-workers", "4")
    ),
    Contestant("c2", "guide's recipe, bare loop, 2 loader workers", "guide_recipe"),
    Contestant("d", "best bare loop on resident tensors", "bare_resident"),
    Contestant("e", "PyTorch Lightning, 2 loader workers", "lightning_trainer", True),
    Contestant("f", "Ignite, 2 loader workers", "ignite_trainer", True),
    Contestant("g", "Keras 3 on torch, 2 loader workers", "keras_trainer", True),
    Contestant("h", "Accelerate, 2 loader workers", "accelerate_trainer", True),
    Contestant("i", "skorch, 2 loader workers", "skorch_trainer", True),
)


@dataclass
class Measured:
    seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else float("nan")


def main() -> None:
    arguments = _arguments()
    peers_python = _environment_of_peers() if not arguments.no_peers else None
    contestants = [
        c
        for c in CONTESTANTS
        if (not c.is_peer or peers_python) and (not arguments.only or c.letter in arguments.only.split(","))
    ]
    report = {"machine": _machine(arguments), "tasks": {}}
    for task in arguments.tasks.split(","):
        measured = _measure(contestants, task, arguments, peers_python)
        report["tasks"][task] = {
            c.letter: {"name": c.name, "seconds": m.seconds, "median": m.median, "peak_mb": m.peak_mb}
            for c, m in measured.items()
        }
        _print_table(task, measured)
    report["data_path"] = _data_path(arguments)
    report["own_data"] = _own_data(arguments)
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{arguments.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default="mlp,cnn,resnet18")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="in each round; the first does not count")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", help="letters, such as a,d")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FUSIONQ_DATA", "data")))
    parser.add_argument("--output", type=Path, default=Path("benchmark-engine.json"))
    arguments = parser.parse_args()
    if not (arguments.data / "MNIST" / "raw").is_dir():
        parser.error(f"MNIST is not in {arguments.data}; name its folder with --data or FUSIONQ_DATA")
    arguments.data = arguments.data.absolute()
    return arguments


def _environment_of_peers() -> Path:
    """The Python of a virtual environment with the peers; who cannot be installed does not take part."""
    peers = Peers("peers")
    for why in peers.install_all(PEERS):
        print(why, file=sys.stderr, flush=True)
    return peers.python


def _measure(contestants, task, arguments, peers_python) -> dict[Contestant, Measured]:
    measured = {contestant: Measured() for contestant in contestants}
    for number in range(arguments.rounds):
        for contestant in contestants:
            result = _run(contestant, task, arguments, peers_python)
            if result is None:
                continue
            measured[contestant].seconds += result["seconds"]
            measured[contestant].peak_mb.append(result["peak_mb"])
            shown = ", ".join(f"{s:.2f}" for s in result["seconds"])
            print(f"{task} round {number + 1}: {contestant.name}: {shown} s", file=sys.stderr, flush=True)
    return {contestant: m for contestant, m in measured.items() if m.seconds}


def _run(contestant, task, arguments, peers_python) -> dict | None:
    python = peers_python if contestant.is_peer else sys.executable
    command = [str(python), "-m", f"benchmarks.contestants.{contestant.module}", "--task", task]
    command += ["--epochs", str(arguments.epochs), "--threads", str(arguments.threads)]
    command += ["--data", str(arguments.data), *contestant.options]
    environ = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    last = (done.stderr or done.stdout).strip().splitlines()[-1:]
    print(f"{task}: {contestant.name} does not take part: {' '.join(last)}", file=sys.stderr, flush=True)
    return None


def _print_table(task: str, measured: dict[Contestant, Measured]) -> None:
    own = next((m for c, m in measured.items() if c.letter == "a"), None)
    print(f"\n{task}: seconds per epoch of training and evaluation\n")
    print("| | contestant | median s | min | max | times (a) | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for contestant, m in measured.items():
        ratio = f"{m.median / own.median:.2f}" if own else ""
        peak = statistics.median(m.peak_mb)
        print(
            f"| {contestant.letter} | {contestant.name} | {m.median:.3f} | {min(m.seconds):.3f} | "
            f"{max(m.seconds):.3f} | {ratio} | {peak:.0f} |"
        )
    _print_overhead(task, measured)


def _print_overhead(task: str, measured: dict[Contestant, Measured]) -> None:
    by_letter = {contestant.letter: m for contestant, m in measured.items()}
    if task == "resnet18" or not {"a", "d"} <= by_letter.keys():
        return
    difference = by_letter["a"].median - by_letter["d"].median
    memory = statistics.median(by_letter["a"].peak_mb) - statistics.median(by_letter["d"].peak_mb)
    print(
        f"\n(a) over (d): {difference / 938 * 1e6:+.0f} µs per training step, {memory:+.0f} MB of peak memory"
    )


def _data_path(arguments: argparse.Namespace) -> dict[str, float]:
    """Images per second of the data path alone: resident batches against a DataLoader."""
    speeds = _result_of("data_path", arguments)
    print("\nthe data path alone, images/s: " + ", ".join(f"{k} {v:,.0f}" for k, v in speeds.items()))
    return speeds


def _own_data(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """A data set of the user's own, loaded and trained on, in µs for a sample, against a plain DataLoader."""
    rows = _result_of("own_data", arguments)
    print("\na data set of the user's own: µs for a sample\n")
    print("| | plain DataLoader | fusionq | ratio |")
    print("|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['bare loop']:.1f} | {row['fusionq']:.1f} | {row['ratio']:.2f} |")
    return rows


def _result_of(module: str, arguments: argparse.Namespace) -> dict:
    command = [sys.executable, "-m", f"benchmarks.contestants.{module}", "--data", str(arguments.data)]
    command += ["--threads", str(arguments.threads)]
    environ = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1].removeprefix("RESULT "))


def _machine(arguments: argparse.Namespace) -> dict:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "epochs": arguments.epochs,
    }


if __name__ == "__main__":
    main()
