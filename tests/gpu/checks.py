"""The checks. Each takes the world, fails by an assertion, and returns what it measured in words."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import torch

from fusionq.spec.states import Outcome
from tests.acceptance.installation import LONG_S, SLOWLY
from tests.acceptance.test_ranks import assert_same_within_rounding
from tests.gpu.bare_loop import epochs_per_s
from tests.gpu.world import NotHere, World
from tests.support import wait_until

Check = Callable[[World], str]
SMALL = ("train.epochs=3", "tags=[]")
IDLE_BYTES = 1 << 30


def _accuracy(world: World, file: str, *overrides: str) -> str:
    record = world.run(file, *SMALL, *overrides)
    world.assert_on_device(record)
    last = world.history(record)[-1]
    [accuracy] = [value for key, value in last.items() if key in ("test_accuracy", "test_top1")]
    assert accuracy > 0.85, last
    return f"{world.data}: test accuracy {accuracy:.4f} after 3 epochs"


def mlp(world: World) -> str:
    return _accuracy(world, "mnist.yaml")


def cnn(world: World) -> str:
    return _accuracy(world, "mnist-cnn.yaml")


def bf16(world: World) -> str:
    return _accuracy(world, "mnist-cnn.yaml", "train.precision=bf16")


def compiled(world: World) -> str:
    return _accuracy(world, "mnist-cnn.yaml", "train.compile=true")


def channels_last(world: World) -> str:
    return _accuracy(world, "mnist-cnn.yaml", "train.channels_last=true")


def data_lies_on_the_device(world: World) -> str:
    """No copies from the host: the batches are there before the first epoch."""
    program = (
        "import torch, sys; from fusionq.engine.data.resident import resident_batches; "
        "from fusionq.engine.data.digits import Digits; from torchvision.transforms import v2; "
        "d, steps = torch.device(sys.argv[1]), [v2.ToTensor()]; "
        "b = resident_batches(Digits(size=28), steps, 64, d, shuffle=True); "
        "print(next(iter(b.epoch(0)))[0].device)"
    )
    device = "cpu" if world.on_cpu else "cuda"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, device], capture_output=True, text=True
    )
    assert done.stdout.startswith(device), done.stderr
    return f"batches on {done.stdout.strip()}"


def an_idle_worker_touches_no_gpu(world: World) -> str:
    used = world.read().used_bytes
    pids = {process.pid for process in world.own.processes()}
    assert not pids & set(world.read().processes)
    return f"no context of ours; {used / 1e6:.0f} MB in use by the driver"


def a_share_is_kept_to(world: World) -> str:
    """Two jobs share a GPU; one that takes more than its share runs out of memory, and the other does not."""
    total = world.gpus[0].memory_bytes
    (world.own.workdir / "greedy.py").write_text(GREEDY)
    share = f"resources.gpu_memory={total // 4}"
    modest = world.own.submit("train.epochs=40", share, *SLOWLY)
    greedy = world.own.submit("trainer=greedy.Greedy", share, "retry.max=0")
    failed = world.own.await_end(greedy)
    assert failed.failure == "oom", failed.reason
    assert world.own.await_end(modest).outcome is Outcome.SUCCEEDED
    return f"{total / 4e9:.1f} GB each: {failed.reason[:60]}"


GREEDY = """
import torch
import fusionq as tf

class Greedy(tf.StandardModel):
    def __train_func__(self, *arguments):
        total = torch.cuda.get_device_properties(0).total_memory
        self.kept = [torch.empty(total // 16, dtype=torch.uint8, device='cuda') for _ in range(8)]
"""


def free_means_free(world: World) -> str:
    """After kill -9 of the job, of its worker, and after an end like any other, nothing is on the GPU."""
    own = world.own
    job_id = own.submit("train.epochs=500", "retry.max=0", *SLOWLY)
    own.await_epochs(job_id, 1)
    process = own.process_of(job_id, world.worker)
    assert world.on_cpu or process.pid in world.read().processes
    process.send_signal(signal.SIGKILL)
    own.await_end(job_id)
    if world.on_cpu:
        return "nothing left"
    wait_until(lambda: not world.read().processes, timeout_s=LONG_S, what="the GPU free")
    other = own.submit("train.epochs=500", *SLOWLY)
    own.await_epochs(other, 1)
    world.worker.send_signal(signal.SIGKILL)
    world.worker.wait()
    wait_until(lambda: not world.read().processes, timeout_s=LONG_S, what="the GPU free after its worker")
    used = world.read().used_bytes
    world.worker = own.start_worker("next")
    own.cli("cancel", other)
    assert used < IDLE_BYTES
    assert not any(gpu.get("blocked") for gpu in own.store.workers.find("next").gpus)
    return f"{used / 1e6:.0f} MB in use afterwards, by no process"


def exact_resume(world: World) -> str:
    """Killed and gone on with, deterministic kernels: the same weights to the last bit."""
    own, options = world.own, ("train.epochs=6", "train.deterministic=true")
    undisturbed = own.await_end(own.submit(*options))
    job_id = own.submit(*options, *SLOWLY)
    own.await_epochs(job_id, 2)
    own.process_of(job_id, world.worker).send_signal(signal.SIGKILL)
    record = own.await_end(job_id)
    assert (record.outcome, record.attempt) == (Outcome.SUCCEEDED, 2), record.reason
    for name, tensor in world.weights(undisturbed).items():
        assert torch.equal(tensor, world.weights(record)[name]), name
    return "bit-identical after kill -9"


def speed(world: World) -> str:
    """Epochs per second beside the same work in a bare loop, three times, in turn."""
    ours, bare = [], []
    for _ in range(3):
        record = world.run("mnist.yaml", "train.epochs=6", "tags=[]")
        points = world.own.store.streams.points(record.id)
        ours.append(1 / min(point["duration_s"] for point in points if point["kind"] == "epoch"))
        bare.append(epochs_per_s("cpu" if world.on_cpu else "cuda"))
    mine, theirs = sorted(ours)[1], sorted(bare)[1]
    return f"{mine:.2f} epochs/s, a bare loop {theirs:.2f}: {mine / theirs:.2f} times"


def several_gpus(world: World) -> str:
    number = len(world.gpus)
    if number < 2:
        raise NotHere(f"needs two GPUs; there is {number}")
    plain = ("optimizer={_target_: SGD, lr: 0.05}", "model._args_.3={_target_: Identity}")
    alone = world.own.await_end(world.own.submit(*plain, "resources.gpus=1"))
    both = world.own.await_end(world.own.submit(*plain, "resources.gpus=2"))
    assert both.outcome is Outcome.SUCCEEDED, both.reason
    assert_same_within_rounding(alone, both)
    return "nccl: two GPUs come to the result of one"


CHECKS: tuple[Check, ...] = (
    an_idle_worker_touches_no_gpu,
    mlp,
    cnn,
    bf16,
    compiled,
    channels_last,
    data_lies_on_the_device,
    a_share_is_kept_to,
    exact_resume,
    free_means_free,
    speed,
    several_gpus,
)
