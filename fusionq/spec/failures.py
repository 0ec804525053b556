"""Why an attempt can fail: one table of what each class means and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """A class of failures."""

    words: str  # what happened, for a person
    next_step: str
    counts_as: str = ""  # the class whose rule in `retry.on` and whose counter hold for it, too


WORKER_LOST = "worker_lost"
LOST_LEASE = "lost_lease"
OOM = "oom"
HOST_OOM = "host_oom"
MEMORY_LIMIT = "memory_limit"
CRASH = "crash"
NON_FINITE_LOSS = "non_finite_loss"
IMPORT_ERROR = "import_error"
SPEC_ERROR = "spec_error"
DATA_ERROR = "data_error"
DISK_FULL = "disk_full"
TIME_LIMIT = "time_limit"
CANCELLED = "cancelled"
ERROR = "error"

FAILURES: dict[str, Failure] = {
    WORKER_LOST: Failure("its worker was lost", "look at its worker and at the machine: fusionq workers"),
    LOST_LEASE: Failure(
        "its lease ran out though its worker is alive: started again, or too slow to renew it",
        "look at the network to Redis and at the load of the machine; a longer lease helps: FUSIONQ_LEASE",
        counts_as=WORKER_LOST,
    ),
    OOM: Failure(
        "out of memory", "take a smaller data.batch_size, or give it more of a GPU: resources.gpu_memory"
    ),
    HOST_OOM: Failure(
        "its process was killed, most likely because the machine ran out of memory",
        "see whether the kernel did it (dmesg); fewer slots or data.num_workers need less",
        counts_as=OOM,
    ),
    MEMORY_LIMIT: Failure(
        "it used more of the host's memory than it asked for",
        "ask for more: resources.memory; fewer data.num_workers or a smaller data.batch_size need less",
        counts_as=OOM,
    ),
    CRASH: Failure(
        "its process crashed",
        "its log shows where; native code, such as a driver or an extension, is at fault",
    ),
    NON_FINITE_LOSS: Failure(
        "its loss became infinite or not a number",
        "take a smaller optimizer.lr, train.clip_grad_norm, a train.warmup, or fp32",
    ),
    IMPORT_ERROR: Failure(
        "something that it names cannot be imported or built",
        "check the names and packages: fusionq validate FILE --deep",
    ),
    SPEC_ERROR: Failure("its parts do not fit together", "check the job file: fusionq validate FILE --deep"),
    DATA_ERROR: Failure(
        "its data is missing, empty or of the wrong form", "look at the data on the worker's machine"
    ),
    DISK_FULL: Failure(
        "the disk is full",
        "make room (fusionq clean), then go on from its last checkpoint: fusionq retry JOB",
    ),
    TIME_LIMIT: Failure(
        "it ran or waited longer than it may", "give it another turn of the same length: fusionq retry JOB"
    ),
    CANCELLED: Failure("it was cancelled", "go on from where it was: fusionq retry JOB"),
    ERROR: Failure("its code raised an error", "its log shows where: fusionq logs JOB"),
}
"""What is none of these is `error`."""


def next_step(failure: str, job_id: str) -> str:
    """What a person can do about it; '' where nobody knows."""
    return FAILURES[failure].next_step.replace("JOB", job_id) if failure in FAILURES else ""


def counter_of(failure: str) -> str:
    """The class under which a failure is counted, and which `retry.on` knows."""
    known = FAILURES.get(failure, FAILURES[ERROR])
    return known.counts_as or (failure if failure in FAILURES else ERROR)
