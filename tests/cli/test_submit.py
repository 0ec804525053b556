"""`submit` prints the id alone, and beside it what to do next."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from fusionq.queue.code_archives import fetch
from fusionq.queue.tree import unpack
from fusionq.queue.worker_check import Checked
from fusionq.spec.job import CodeSection
from fusionq.spec.load import from_yaml, load_file, load_job
from fusionq.spec.settings import Settings
from fusionq.spec.states import EXIT_CODES, Outcome, Status
from fusionq.spec.verdict import Verdict
from fusionq.store.store import Store
from tests.cli.conftest import Cli
from tests.cli.jobs import serving
from tests.support import ONE_JOB

DIGITS = Path(__file__).parents[2] / "jobs" / "digits.yaml"


def test_the_id_is_all_that_is_printed_on_stdout(cli: Cli, store, job_file: Path):
    done = cli("submit", job_file)
    assert done.code == 0
    job_id = done.out.strip()
    assert done.out == f"{job_id}\n"
    assert store.jobs.get(job_id).workdir == str(Path.cwd())
    for next_step in (f"fusionq logs {job_id} -f", f"fusionq status {job_id}", f"fusionq cancel {job_id}"):
        assert next_step in done.err


def test_overrides_go_on_top_of_the_file(cli: Cli, store, job_file: Path):
    job_id = cli("submit", job_file, "optimizer.lr=1e-2", "train.epochs=7").out.strip()
    assert store.jobs.spec(job_id)["optimizer"]["lr"] == 0.01
    assert store.jobs.spec(job_id)["train"]["epochs"] == 7


def test_without_a_worker_it_says_how_to_start_one(cli: Cli, store, job_file: Path):
    assert cli("submit", job_file).err.endswith("start one: fusionq worker\n")
    assert cli("submit", job_file, "queue=big").err.endswith("start one: fusionq worker --queues big\n")
    serving(store)
    assert "start one" not in cli("submit", job_file).err


def test_a_scheduling_pass_is_asked_for(cli: Cli, store, job_file: Path):
    cli("submit", job_file)
    assert store.redis.llen("fusionq:celery:schedule") == 1


def test_each_job_of_a_file_has_its_id(cli: Cli, store, job_file: Path):
    job_file.write_text(ONE_JOB + "---\n" + ONE_JOB.replace("tiny", "second") + "after: [tiny]\n")
    first, second = cli("submit", job_file).out.split()
    assert store.jobs.get(second).after == (first,)


def test_a_dry_run_prints_the_resolved_job_and_queues_nothing(cli: Cli, job_file: Path, tmp_path: Path):
    (tmp_path / "own.py").write_text("class Trainer: pass\n")
    overrides = ("trainer=own.Trainer", "priority=3", "after=[someone]")
    done = cli("submit", "--dry-run", "--redis-url", "redis://127.0.0.1:1/0", job_file, *overrides)
    assert done.code == 0  # without a Redis
    assert from_yaml(done.out) == load_job(job_file, overrides)
    assert "tiny: a job for the queue 'default', priority 3" in done.err
    assert "after       someone" in done.err
    assert re.search(r"code        \d files, .*, [0-9a-f]{12}\n", done.err)
    assert done.err.endswith("nothing was queued\n")


def test_a_dry_run_of_a_sweep_lists_its_trials(cli: Cli, store, job_file: Path):
    done = cli("submit", "--dry-run", job_file, "optimizer.lr=1e-2,1e-3")
    assert "trial 2: optimizer.lr=0.001" in done.err
    Path("again.yaml").write_text(done.out)
    assert len(load_file("again.yaml", workdir=Path())[0].trials) == 2
    assert store.num_rows() == 0


# --- options -----------------------------------------------------------------------------------------


def test_options_stand_for_overrides(cli: Cli, store: Store, job_file: Path):
    job_file.write_text(ONE_JOB + "tags: [old]\n")
    first = cli("submit", job_file).out.strip()
    options = ["--name", "größe 2", "--priority", "7", "--queue", "night", "--gpus", "0", "--tag", "2026"]
    record = store.jobs.get(cli("submit", job_file, *options, "--after", first, "--hold").out.strip())
    assert (record.name, record.priority, record.queue, record.gpus) == ("größe 2", 7, "night", "0")
    assert (record.tags, record.after) == (("old", "2026"), (first,))
    assert record.held.startswith("held by ")


def test_a_wrong_option_is_told_as_it_was_typed(cli: Cli, job_file: Path):
    done = cli("submit", job_file, "--priority", "5000")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("--priority: priority: it should be less than or equal to 1000")


def test_json_says_what_was_queued(cli: Cli, store: Store, job_file: Path):
    (job,) = json.loads(cli("submit", job_file, "--json").out)["jobs"]
    assert job == {"id": job["id"], "name": "tiny", "queue": "default", "is_new": True, "trials": []}
    (sweep,) = json.loads(cli("submit", job_file, "optimizer.lr=1,2", "--json").out)["jobs"]
    assert sweep["trials"] == [f"{sweep['id']}-1", f"{sweep['id']}-2"]


def test_a_submission_that_waits_ends_with_the_exit_code_of_the_job(
    cli: Cli, store: Store, job_file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "fusionq.cli.submission_check.warn_never",
        lambda *_: store.jobs.cancel(store.jobs.find("last"), "enough"),
    )
    assert cli("submit", job_file, "--wait").code == EXIT_CODES[Outcome.CANCELLED]


@pytest.mark.parametrize("end", [KeyboardInterrupt, BrokenPipeError])
def test_who_leaves_a_run_is_told_how_to_come_back(cli: Cli, store, job_file: Path, monkeypatch, end):
    def leave(*_: object) -> None:
        raise end

    monkeypatch.setattr("fusionq.cli.run._Help.find_worker", lambda *_: None)
    monkeypatch.setattr("fusionq.cli.run._follow", leave)
    done = cli("run", job_file)
    job_id = store.jobs.find("last")
    assert done.code == 130
    assert f"tiny goes on; back to it: fusionq logs {job_id} -f" in done.err


def test_several_documents_have_one_set_of_hints(cli: Cli, store: Store, job_file: Path):
    job_file.write_text("---\n".join(ONE_JOB.replace("tiny", name) for name in ("a", "b", "c")))
    done = cli("submit", job_file)
    assert len(done.out.split()) == 3
    assert done.err.count("fusionq cancel ID") == 1
    assert done.err.count("no worker is alive") == 1


def test_what_no_living_worker_has_is_told_at_once(cli: Cli, store: Store, job_file: Path):
    serving(store)
    assert "tiny needs 3 GPUs; no worker alive has one" in cli("submit", job_file, "--gpus", "3").err


def test_a_time_that_is_past_is_told(cli: Cli, store: Store, job_file: Path):
    assert "--at is in the past; starting now" in cli("submit", job_file, "--at", "2020-01-01").err


def test_run_takes_the_same_options(cli: Cli, store: Store, job_file: Path):
    serving(store)
    done = cli("run", "--detach", job_file, "--priority", "3")
    assert store.jobs.get(done.out.strip()).priority == 3
    assert "name: other" in cli("run", "--dry-run", job_file, "--name", "other").out


# --- modules beside the job file ---------------------------------------------------------------------


def test_modules_are_found_beside_the_job_file(cli: Cli, store: Store, job_file: Path, settings: Settings):
    Path("day").mkdir()
    Path("day/slow.py").write_text("class Trainer: pass\n")
    Path("day/slow.yaml").write_text(ONE_JOB + "trainer: slow.Trainer\n")
    job_id = cli("submit", "day/slow.yaml", "--name", "x").out.strip()
    archive = fetch(store, settings.runs, store.jobs.get(job_id).code)
    assert {file.path for file in unpack(archive)} == {"slow.py", "slow.yaml"}
    assert store.jobs.spec(job_id)["code"] == {"path": str(Path("day").absolute()), "exclude": []}
    Path("slow.py").write_text("class Trainer: pass\n")  # what lies where one submits goes first
    assert load_file("day/slow.yaml", workdir=Path())[0].spec.code == CodeSection()


# --- the deep check ----------------------------------------------------------------------------------


def test_what_cannot_work_is_refused_where_the_deep_check_is_waited_for(cli: Cli, store):
    done = cli("submit", "--deep", DIGITS, "model._args_.1.in_features=65")
    assert done.code == 2
    assert "takes 65 features" in done.err
    assert store.num_rows() == 0


def test_what_a_worker_finds_is_refused_at_its_place(cli: Cli, store, monkeypatch):
    asked = []

    def of(_, question):
        asked.append(question)
        return Checked([Verdict(problems=[(("optimizer", "lr"), "optimizer.lr: too large")])])

    monkeypatch.setattr("fusionq.queue.worker_check.WorkerCheck.of", of)
    done = cli("submit", DIGITS)
    line = next(i for i, text in enumerate(DIGITS.read_text().splitlines(), 1) if "optimizer" in text)
    assert (done.code, done.out, store.num_rows()) == (2, "", 0)
    assert done.err.startswith(f"{DIGITS}:{line}:")
    assert "optimizer.lr: too large" in done.err
    assert [spec.name for spec in asked[0].specs] == ["digits"]


def test_a_check_that_is_not_made_says_why(cli: Cli, store, job_file: Path):
    done = cli("submit", job_file)
    assert done.code == 0
    assert "deep check skipped: no worker is up (to make it: fusionq validate FILE --deep)" in done.err
    assert "deep check" not in cli("submit", job_file, "--dry-run").err


def test_of_several_documents_those_are_checked_that_refer_to_none_before(cli: Cli, store, monkeypatch):
    names = []

    def of(_, question):
        names.extend(spec.name for spec in question.specs)
        return Checked([Verdict() for _ in question.specs])

    monkeypatch.setattr("fusionq.queue.worker_check.WorkerCheck.of", of)
    chain = DIGITS.with_name("digits-chain.yaml")
    assert cli("submit", chain).code == 0
    first = load_file(chain, workdir=Path())[0].spec.name
    assert names == [first]


# --- when, and whether at all ----------------------------------------------------------------------------


def test_a_job_may_start_later(cli: Cli, store: Store, job_file: Path):
    done = cli("submit", job_file, "--in", "2h")
    record = store.jobs.get(done.out.strip())
    assert (record.status, record.due_at - store.now()) == (Status.WAITING, pytest.approx(7200, abs=60))
    assert re.search(r"it starts in (1h 59m|2h 00m), at ", done.err)
    assert re.search(r"waits for its time, in (1h 59m|2h 00m), at .*\d\d:\d\d", cli("status", record.id).out)


def test_a_job_may_start_at_a_time_of_day(cli: Cli, store: Store, job_file: Path):
    record = store.jobs.get(cli("submit", job_file, "--at", "22:00").out.strip())
    assert datetime.fromtimestamp(record.due_at).strftime("%H:%M:%S") == "22:00:00"
    assert 0 < record.due_at - store.now() <= 90_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--at", "noon"], "--at: 'noon' is not a time; write 22:00, 2026-12-01 22:00 or +2h"),
        (["--in", "soon"], "--in: 'soon' is not a duration; write 30s, 10m or 2h30m"),
        (["--in", "2h", "--at", "22:00"], "--at and --in both say when"),
    ],
)
def test_a_wrong_time_is_one_line(cli: Cli, store: Store, job_file: Path, options: list[str], words: str):
    done = cli("submit", job_file, *options)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert words in done.err
    assert store.jobs.count() == 0


def test_the_same_job_twice_is_one_where_that_is_asked_for(cli: Cli, store: Store, job_file: Path):
    first = cli("submit", job_file).out
    again = cli("submit", job_file, "--unique")
    assert again.out == first
    assert "tiny is there already: nothing new was queued" in again.err
    assert cli("submit", job_file, "--unique", "train.epochs=3").out != first


def test_what_would_be_says_when_it_starts(cli: Cli, job_file: Path):
    done = cli("submit", job_file, "--dry-run", "--at", "22:00", "after={jobs: [last], need: any}")
    assert "starts      no earlier than 22:00" in done.err
    assert "after       last" in done.err


def test_what_was_changed_on_the_command_line_is_kept_with_the_job(cli: Cli, store, job_file: Path):
    job_id = cli("submit", job_file, "optimizer.lr=0.25", "--priority", "5").out.strip()
    assert store.jobs.get(job_id).params == {"optimizer.lr": 0.25}
    assert "changed    optimizer.lr=0.25" in cli("status", job_id).out
    assert "tiny" in cli("status").out
