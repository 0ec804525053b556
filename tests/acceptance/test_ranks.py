"""Jobs of several processes on the CPU: real workers, real ranks, joined by gloo."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch

from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome
from tests.acceptance.installation import LONG_S, SLOWLY, SMALL_JOB, Installation
from tests.acceptance.test_recovery import assert_same_result, best_of
from tests.support import wait_until

pytestmark = pytest.mark.acceptance

IN_TWO = "resources.processes=2"
PLAIN = ("optimizer={_target_: SGD, lr: 0.05, momentum: 0.9}", "model._args_.3={_target_: Identity}")
TRAINERS = """
import os
import time
import fusionq as tf
import torch

class InParts(tf.StandardModel):
    def __train_func__(self, data, optimizer, loss_fn, metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        for part in self.model.children():
            inputs = part(inputs)
        loss = loss_fn(inputs, targets)
        self.optimize(loss, optimizer)
        running_loss.add_(loss * len(targets))
        for metric in metrics:
            metric.update(inputs, targets)

class Own(tf.BaseModel):
    'As one would write it for one device.'
    def __train_func__(self, data, optimizer, loss_fn, metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        assert isinstance(self.model, torch.nn.Sequential) and self.model[1].in_features == 64
        optimizer.zero_grad()
        outputs = self.model(inputs)
        loss = loss_fn(outputs, targets)
        loss.backward()
        optimizer.step()
        running_loss.add_(loss * len(inputs))
        for metric in metrics:
            metric.update(outputs, targets)

    def __eval_function__(self, data, metrics):
        inputs, targets = data
        for metric in metrics:
            metric.update(self.model(inputs), targets)

class Tokens(tf.BaseModel):
    'Its loss is a mean over the samples that are no padding, of which each process has another number.'
    def __train_func__(self, data, optimizer, loss_fn, metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        is_padding = targets < 5
        outputs = self.model(inputs)
        loss = loss_fn(outputs, targets.masked_fill(is_padding, -100))
        counted = int((~is_padding).sum())
        self.optimize(loss, optimizer, samples=counted)
        running_loss.add_(loss.detach().nan_to_num(), weight=counted)
        for metric in metrics:
            metric.update(outputs, targets)

    def __eval_function__(self, data, metrics):
        for metric in metrics:
            metric.update(self.model(data[0]), data[1])

class OwnSteps(tf.BaseModel):
    'Steps parts of its model and more, each in its own way.'
    def __init__(self, model, seconds=0):
        super().__init__(model)
        self.seconds = seconds
        self.body = torch.optim.SGD(model[1].parameters(), 0.05, momentum=0.9)
        self.head = torch.optim.Adam(model[4].parameters(), 1e-2)
        self.critic = torch.nn.Sequential(torch.nn.BatchNorm1d(64), torch.nn.Linear(64, 10))
        self.free = torch.zeros(10, requires_grad=True)
        self.steppers = [torch.optim.LBFGS(self.critic.parameters(), lr=0.1, max_iter=2)]
        self.by_hand = torch.optim.SGD([self.free], 0.1)
        self.batches = 0

    def __train_func__(self, data, optimizer, loss_fn, metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        outputs = inputs
        for part in self.model.children():
            outputs = part(outputs)
        loss = loss_fn(outputs + self.free.detach(), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.head.step()
        self.head.zero_grad()
        self.batches += 1
        if self.batches % 3 == 0:
            self.body.step()
            self.body.zero_grad()
        self.steppers[0].step(lambda: self.criticize(inputs, targets, loss_fn))
        (gradient,) = torch.autograd.grad(loss_fn(outputs.detach() + self.free, targets), [self.free])
        self.free.grad = gradient
        self.by_hand.step()
        running_loss.add_(loss * len(inputs))
        for metric in metrics:
            metric.update(outputs, targets)
        time.sleep(self.seconds)

    def criticize(self, inputs, targets, loss_fn):
        self.steppers[0].zero_grad()
        loss = loss_fn(self.critic(inputs.flatten(1)), targets)
        loss.backward()
        return loss

    def __eval_function__(self, data, metrics):
        for metric in metrics:
            metric.update(self.model(data[0]) + self.free, data[1])

class Apart(tf.StandardModel):
    'Changes its weights in another way than the others.'
    def on_batch_end(self, epoch, batch_num, train_metrics, train_loss):
        with torch.no_grad():
            self.model[1].weight.add_(int(os.environ['RANK']) * 0.1)

class Uneven(OwnSteps):
    def __train_func__(self, *arguments):
        super().__train_func__(*arguments)
        if os.environ['RANK'] == '1' and arguments[-1] == 2:
            super().__train_func__(*arguments)

class FailsIn1(tf.StandardModel):
    def __train_func__(self, *arguments):
        if os.environ['RANK'] == '1' and arguments[-1] == 3:
            raise ValueError('these samples are odd')
        super().__train_func__(*arguments)

class HangsIn1(tf.StandardModel):
    def __train_func__(self, *arguments):
        while os.environ['RANK'] == '1':
            print('hanging', flush=True)
            time.sleep(0.2)
        super().__train_func__(*arguments)
"""


@pytest.fixture(scope="module")
def pool(shared: Installation) -> Installation:
    (shared.workdir / "ranked.py").write_text(TRAINERS)
    return shared


def succeeded(pool: Installation, *overrides: str) -> JobRecord:
    record = pool.await_end(pool.submit(*overrides))
    assert record.outcome is Outcome.SUCCEEDED, record.reason
    return record


def history(record: JobRecord) -> list[dict[str, float]]:
    return json.loads((Path(record.run_dir) / "history.json").read_text())


def assert_same_within_rounding(one: JobRecord, other: JobRecord) -> None:
    for ours, theirs in zip(history(one), history(other), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    for name, tensor in best_of(one).items():
        torch.testing.assert_close(tensor, best_of(other)[name], rtol=1e-3, atol=1e-5)


def rank_of(record: JobRecord, rank: int) -> psutil.Process:
    """The process that prints into the log of that rank."""
    log = str(Path(record.run_dir) / "ranks" / f"rank-{rank}.log")
    for process in psutil.process_iter():
        with suppress(OSError):  # others' processes
            if os.readlink(f"/proc/{process.pid}/fd/1") == log:
                return process
    raise AssertionError(f"rank {rank} of {record.id} does not run")


# --- the result ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        pytest.param((), id="plain"),
        pytest.param(("data.batch_size=359",), id="a last batch with fewer samples than processes"),
        pytest.param(("trainer=ranked.Own",), id="a trainer written for one device"),
        pytest.param(("trainer=ranked.InParts",), id="a trainer that calls parts of its model"),
        pytest.param(("trainer=ranked.OwnSteps", "data.batch_size=358"), id="optimizers of its own"),
        pytest.param(
            ("trainer=ranked.Tokens", "train.gradient_accumulation_steps=2", "data.batch_size=40"),
            id="a loss over something else than samples",
        ),
        pytest.param(("data.collate_fn=torch.utils.data.default_collate",), id="through a DataLoader"),
        pytest.param(
            (
                "train.gradient_accumulation_steps=3",
                "train.clip_grad_norm=0.5",
                "train.ema=0.9",
                "train.warmup=10ba",
                "data.val_fraction=0.1",
            ),
            id="every option of the steps",
        ),
    ],
)
def test_several_processes_come_to_the_result_of_one(pool: Installation, how: tuple[str, ...]) -> None:
    alone = succeeded(pool, *PLAIN, *how)
    for processes in (2,) if how else (2, 3):
        record = succeeded(pool, *PLAIN, *how, f"resources.processes={processes}")
        assert_same_within_rounding(alone, record)
        assert sorted(p.name for p in (Path(record.run_dir) / "ranks").iterdir()) == [
            f"rank-{rank}.log" for rank in range(1, processes)
        ]


def test_metrics_without_sums_and_those_of_torchmetrics_are_of_all_processes(pool: Installation) -> None:
    job = pool.workdir / "measured.yaml"
    job.write_text(
        SMALL_JOB.replace(
            "  test: [{_target_: Accuracy}]\n",
            "  test: [{_target_: torchmetrics.F1Score, task: multiclass, num_classes: 10}]\n",
        )
    )
    alone = pool.await_end(pool.submit(*PLAIN, file=job))
    several = pool.await_end(pool.submit(*PLAIN, IN_TWO, file=job))
    assert_same_within_rounding(alone, several)


# --- going on --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quickly", "slowly"),
    [
        pytest.param((), SLOWLY, id="standard"),
        pytest.param(
            ("trainer=ranked.OwnSteps",),
            ("trainer={_target_: ranked.OwnSteps, seconds: 0.02}",),
            id="optimizers of its own",
        ),
    ],
)
def test_it_goes_on_where_it_was_after_a_stop_and_after_a_kill(
    pool: Installation, quickly: tuple[str, ...], slowly: tuple[str, ...]
) -> None:
    undisturbed = succeeded(pool, "name=undisturbed", "train.epochs=8", IN_TWO, *quickly)
    job_id = pool.submit("train.epochs=8", IN_TWO, *slowly)
    pool.await_epochs(job_id, 1)
    done = pool.cli("cancel", job_id)
    assert "its state is saved" in done.stderr + done.stdout, done.stderr
    assert pool.cli("retry", job_id).returncode == 0
    pool.await_epochs(job_id, 4, attempt=2)
    rank_of(pool.store.jobs.get(job_id), 1).send_signal(signal.SIGKILL)
    record = pool.await_end(job_id)
    assert record.attempt == 3
    assert_same_result(record, undisturbed)


# --- how it ends -----------------------------------------------------------------------------------


def test_a_dead_rank_ends_the_attempt_within_seconds_with_its_reason(pool: Installation) -> None:
    job_id = pool.submit("train.epochs=500", "retry.max=0", IN_TWO, *SLOWLY)
    pool.await_epochs(job_id, 1)
    victim = rank_of(pool.store.jobs.get(job_id), 1)
    victim.send_signal(signal.SIGKILL)
    killed_at = time.monotonic()
    record = pool.await_end(job_id)
    assert time.monotonic() - killed_at < 5
    assert record.reason.startswith("rank 1: its process was killed (SIGKILL)")
    assert no_rank_is_left(job_id)


def test_an_error_of_a_rank_is_told_as_that_ranks(pool: Installation) -> None:
    record = pool.await_end(pool.submit("trainer=ranked.FailsIn1", IN_TWO))
    assert record.reason.startswith("rank 1: ValueError: these samples are odd (ranked.py, line ")
    log = (Path(record.run_dir) / "output.log").read_text()
    assert "rank 1 failed:\nTraceback" in log
    assert "odd" in (Path(record.run_dir) / "ranks" / "rank-1.log").read_text()
    assert no_rank_is_left(record.id)


def test_processes_that_train_different_models_are_told_so(pool: Installation) -> None:
    record = pool.await_end(pool.submit("trainer=ranked.Apart", IN_TWO))
    assert record.outcome is Outcome.FAILED
    assert "the processes have different weights in model, by " in record.reason
    assert not list((Path(record.run_dir) / "checkpoints").glob("*.pt"))


def test_processes_that_step_differently_often_are_told_so(pool: Installation) -> None:
    record = pool.await_end(pool.submit("trainer=ranked.Uneven", IN_TWO))
    assert "computed gradients differently often in batch 3" in record.reason


def test_a_rank_that_hangs_is_killed_after_the_grace(pool: Installation) -> None:
    job_id = pool.submit("trainer=ranked.HangsIn1", "grace=1s", IN_TWO)
    run_dir = pool.home / "runs" / job_id
    wait_until(lambda: "hanging" in text_of(run_dir / "ranks" / "rank-1.log"), timeout_s=LONG_S)
    done = pool.cli("cancel", job_id)
    assert "killed after 1.0s of grace" in done.stderr
    assert no_rank_is_left(job_id)


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def no_rank_is_left(job_id: str) -> bool:
    def none_is_left() -> bool:
        return not any(f"FUSIONQ_JOB={job_id}" in environ_of(p) for p in psutil.process_iter())

    wait_until(none_is_left, timeout_s=LONG_S, what="the ranks gone")
    return True


def environ_of(process: psutil.Process) -> list[str]:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return []
        return [f"{key}={value}" for key, value in process.environ().items()]
    except psutil.Error:
        return []
