"""Every Redis key, spelled once, for Python and for the Lua scripts.

| key          | type   | holds                                                    | lives                |
|--------------|--------|----------------------------------------------------------|----------------------|
| job          | hash   | the record of a job                                      | until it is removed  |
| spec         | string | the resolved job file, compressed                        | until it is removed  |
| log, metrics | stream | what the job printed; its points                         | until it is removed  |
| blob         | string | what records point to by its digest, such as code        | while used, or 1 h   |
| blob_users   | set    | the jobs and sweeps whose record points to a blob        | while it has members |
| sweep        | hash   | the record of a sweep; its spec is under `spec`          | until it is removed  |
| scores       | zset   | trials of a sweep by their best value                    | until it is removed  |
| backlog      | zset   | trials that wait for their turn, in the order they go    | while it has members |
| turns        | set    | trials whose turn it is, where only some may run at once | while it has members |
| parents      | set    | jobs and sweeps that a job comes after, until it goes    | while it has members |
| same         | set    | jobs and sweeps of one digest that have not ended        | while it has members |
| children     | zset   | jobs that wait for a job or a sweep, by submission       | while it has members |
| takers       | set    | jobs that have not ended and take the model of a job     | while it has members |
| staging      | string | who is submitting a sweep; its trials expire with it     | minutes              |
| jobs         | zset   | all jobs by order of submission, trials too              | always               |
| rows         | zset   | sweeps, and jobs that are no trials, by the same order   | always               |
| job_ids      | zset   | the same by id, to look up a prefix                      | always               |
| names        | hash   | the last job or sweep of each name                       | always               |
| sequence     | string | the number of the last submission                        | always               |
| tally        | hash   | how many jobs there are by status, or outcome            | always               |
| lost_attempts | hash  | how many attempts ever failed, by class of the failure   | always               |
| queue_jobs   | hash   | how many jobs of each queue have not ended               | while it has fields  |
| pending      | zset   | queued jobs of a lane, in the order in which they go     | while it has members |
| lanes        | set    | lanes with queued jobs: queue, user, need, as JSON       | while it has members |
| usage        | hash   | how many jobs each user has assigned or running          | while it has fields  |
| paused       | hash   | queues that start no job, and why                        | while it has fields  |
| policy       | hash   | how the queue as a whole goes about things               | always               |
| waiting      | zset   | jobs that wait for a time, by that time                  | while it has members |
| overdue      | zset   | queued jobs, by the time until which they may wait       | while it has members |
| assigned     | zset   | assigned jobs, by the time until which they must start   | while it has members |
| leases       | zset   | running jobs, by the time until which their lease holds  | while it has members |
| workers      | zset   | workers, by the time until which their heartbeat holds   | while it has members |
| worker       | hash   | what a worker has and says of itself                     | a day after a beat   |
| worker_jobs  | set    | jobs assigned to a worker or running there               | while it has members |
| gang         | hash   | what the workers of a job on several tell each other     | while it runs        |
| worker_gpus  | hash   | which jobs hold which GPU, cores, memory, and how much   | while it has members |
| identity     | hash   | the name of this data, and when jobs were put back       | always               |
| events       | stream | every change of state, the newest ones                   | trimmed              |
| notices      | zset   | what somebody is to be told, by when to try              | while it has members |
| notice_tries | hash   | how often each of them was tried                         | while it has fields  |
| transfer     | list   | pieces of files, or output, on their way to who asked    | a minute             |
| check        | string | jobs that a worker is to check before they are submitted | a minute             |
| check_answer | list   | what it found                                            | a minute             |
| command      | string | a command that a worker is to run beside a job           | a minute             |
| listener     | string | somebody waits for the output of that command            | half a minute        |
| command_input | list  | pieces of the input of that command                      | a minute             |
| wanted       | string | a scheduling pass was asked for                          | seconds              |
| again        | string | a pass was asked for while one ran                       | seconds              |
| pass_lock, reap_lock | string | who runs a pass, who reaps                       | seconds              |
| clean_lock   | string | which worker of a host takes away old jobs               | minutes              |
"""

from __future__ import annotations

PREFIX = "fusionq:"

SINGLE = {
    name: PREFIX + name
    for name in (
        "jobs",
        "rows",
        "job_ids",
        "names",
        "sequence",
        "tally",
        "lost_attempts",
        "queue_jobs",
        "lanes",
        "usage",
        "paused",
        "policy",
        "waiting",
        "overdue",
        "assigned",
        "leases",
        "workers",
        "events",
        "wanted",
        "again",
        "pass_lock",
        "reap_lock",
        "notices",
        "notice_tries",
        "identity",
    )
}
BY_NAME = {
    name: f"{PREFIX}{name}:"
    for name in (
        "job",
        "spec",
        "log",
        "metrics",
        "blob",
        "blob_users",
        "sweep",
        "scores",
        "backlog",
        "turns",
        "parents",
        "children",
        "same",
        "takers",
        "staging",
        "pending",
        "worker",
        "worker_jobs",
        "worker_gpus",
        "gang",
        "clean_lock",
        "transfer",
        "check",
        "check_answer",
        "command",
        "listener",
        "command_input",
    )
}

NO_KEY = PREFIX + "none"  # never exists

CELERY_PREFIX = PREFIX + "celery:"

JOBS = SINGLE["jobs"]
ROWS = SINGLE["rows"]
JOB_IDS = SINGLE["job_ids"]
NAMES = SINGLE["names"]
TALLY = SINGLE["tally"]
LOST_ATTEMPTS = SINGLE["lost_attempts"]
QUEUE_JOBS = SINGLE["queue_jobs"]
LANES = SINGLE["lanes"]
USAGE = SINGLE["usage"]
PAUSED = SINGLE["paused"]
POLICY = SINGLE["policy"]
WAITING = SINGLE["waiting"]
OVERDUE = SINGLE["overdue"]
ASSIGNED = SINGLE["assigned"]
LEASES = SINGLE["leases"]
WORKERS = SINGLE["workers"]
EVENTS = SINGLE["events"]
WANTED = SINGLE["wanted"]
AGAIN = SINGLE["again"]
PASS_LOCK = SINGLE["pass_lock"]
REAP_LOCK = SINGLE["reap_lock"]
NOTICES = SINGLE["notices"]
NOTICE_TRIES = SINGLE["notice_tries"]
IDENTITY = SINGLE["identity"]


def job(job_id: str) -> str:
    return BY_NAME["job"] + job_id


def spec(job_id: str) -> str:
    return BY_NAME["spec"] + job_id


def log(job_id: str) -> str:
    return BY_NAME["log"] + job_id


def metrics(job_id: str) -> str:
    return BY_NAME["metrics"] + job_id


def blob(digest: str) -> str:
    return BY_NAME["blob"] + digest


def blob_users(digest: str) -> str:
    return BY_NAME["blob_users"] + digest


def sweep(sweep_id: str) -> str:
    return BY_NAME["sweep"] + sweep_id


def scores(sweep_id: str) -> str:
    return BY_NAME["scores"] + sweep_id


def backlog(sweep_id: str) -> str:
    return BY_NAME["backlog"] + sweep_id


def turns(sweep_id: str) -> str:
    return BY_NAME["turns"] + sweep_id


def parents(job_id: str) -> str:
    return BY_NAME["parents"] + job_id


def children(parent_id: str) -> str:
    return BY_NAME["children"] + parent_id


def same(digest: str) -> str:
    return BY_NAME["same"] + digest


def takers(source_id: str) -> str:
    return BY_NAME["takers"] + source_id


def staging(sweep_id: str) -> str:
    return BY_NAME["staging"] + sweep_id


def pending(lane: str) -> str:
    return BY_NAME["pending"] + lane


def worker(name: str) -> str:
    return BY_NAME["worker"] + name


def worker_jobs(name: str) -> str:
    return BY_NAME["worker_jobs"] + name


def worker_gpus(name: str) -> str:
    return BY_NAME["worker_gpus"] + name


def gang(job_id: str) -> str:
    return BY_NAME["gang"] + job_id


def clean_lock(host: str) -> str:
    return BY_NAME["clean_lock"] + host


def transfer(token: str) -> str:
    return BY_NAME["transfer"] + token


def command(token: str) -> str:
    return BY_NAME["command"] + token


def listener(token: str) -> str:
    return BY_NAME["listener"] + token


def command_input(token: str) -> str:
    return BY_NAME["command_input"] + token


def check(token: str) -> str:
    return BY_NAME["check"] + token


def check_answer(token: str) -> str:
    return BY_NAME["check_answer"] + token


def result(job_id: str) -> str:
    """What Celery's result backend shows of a job; it expires, and goes with the job."""
    return f"{CELERY_PREFIX}celery-task-meta-{job_id}"


def stop_channel(worker_name: str) -> str:
    """The channel on which a worker hears that a job of its own is to stop."""
    return f"{PREFIX}stop:{worker_name}"


def to_lua() -> str:
    """The same spellings for the scripts: `K.jobs`, `K.job(id)`."""
    lines = ["local K = {}"]
    lines += [f"K.{name} = '{key}'" for name, key in SINGLE.items()]
    lines += [f"function K.{name}(x) return '{key}' .. x end" for name, key in BY_NAME.items()]
    return "\n".join(lines)
