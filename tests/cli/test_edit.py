"""`edit` opens the job file of a job that was never started; `retry --edit` that of one that has ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fusionq.cli import editor
from fusionq.queue.worker_check import Checked, Question, WorkerCheck
from fusionq.spec.states import Outcome, Status
from fusionq.spec.verdict import Verdict
from tests.cli.conftest import Cli
from tests.cli.jobs import serving
from tests.support import register, running

Editor = Callable[..., Path]


@pytest.fixture
def edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Sets an editor that replaces one text by another, the next pair at each call, and keeps what it saw."""
    monkeypatch.delenv("VISUAL", raising=False)

    def set_editor(*pairs: tuple[str, str]) -> Path:
        seen, script = tmp_path / "seen", tmp_path / "editor.py"
        seen.mkdir()
        script.write_text(
            "import sys\nfrom pathlib import Path\n"
            f"seen, pairs, file = Path({str(seen)!r}), {pairs!r}, Path(sys.argv[1])\n"
            "number = len(list(seen.iterdir()))\n"
            "text = file.read_text()\n"
            "(seen / str(number)).write_text(text)\n"
            "if number < len(pairs):\n    file.write_text(text.replace(*pairs[number]))\n"
        )
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
        return seen

    return set_editor


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What a person at a terminal answers to the questions, one after the other."""
    given: list[bool] = []
    monkeypatch.setattr(editor.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(editor.click, "confirm", lambda *_, **__: given.pop(0))
    return given


@pytest.fixture
def job(cli: Cli, job_file: Path) -> str:
    return cli("submit", job_file).out.strip()


def test_what_is_saved_is_what_will_run(cli: Cli, store, edits: Editor, job: str):
    seen = edits(("epochs: 10", "epochs: 40"))
    done = cli("edit", "last")
    assert (done.code, done.out) == (0, "")
    assert f"{job} has changed: train.epochs; look at it: fusionq status {job}" in done.err
    assert store.jobs.spec(job)["train"]["epochs"] == 40
    assert cli("status", job, "--spec").out == (seen / "0").read_text().split("\n", 2)[2].replace(
        "epochs: 10", "epochs: 40"
    )


def test_without_saving_nothing_is_done(cli: Cli, store, edits: Editor, job: str):
    edits()
    before = store.jobs.fields(job)
    done = cli("edit", job)
    assert (done.code, done.err) == (0, f"nothing changed; {job} is as it was\n")
    assert store.jobs.fields(job) == before


def test_changes_need_no_editor(cli: Cli, store, job: str):
    done = cli("edit", job, "queue=large", "priority=4")
    assert (done.code, f"{job} has changed: queue, priority" in done.err) == (0, True)
    assert (store.jobs.get(job).queue, store.jobs.get(job).priority) == ("large", 4)


def test_what_no_worker_could_run_is_told(cli: Cli, store, job: str):
    serving(store)
    assert "needs" not in cli("edit", job, "train.epochs=3").err
    assert "tiny needs 8 GPUs" in cli("edit", job, "resources.gpus=8").err


def test_changes_are_checked_by_a_worker_as_a_submission_is(cli: Cli, store, monkeypatch, job: str):
    asked = []

    def of(self: WorkerCheck, question: Question) -> Checked:
        asked.append(question.specs[0].train.epochs)
        return Checked([Verdict([(("model",), "takes 65 features")])])

    monkeypatch.setattr(WorkerCheck, "of", of)
    done = cli("edit", job, "train.epochs=11")
    assert (done.code, "takes 65 features" in done.err) == (2, True)
    assert store.jobs.spec(job)["train"]["epochs"] == 10
    register(store)
    store.jobs.finish(job, running(store, job), Outcome.FAILED, "odd")
    done = cli("retry", job, "train.epochs=12")
    assert (done.code, "takes 65 features" in done.err) == (2, True)
    assert store.jobs.get(job).is_finished
    assert asked == [11, 12]


def test_after_a_mistake_the_editor_opens_again_with_what_was_written(
    cli: Cli, store, edits: Editor, answers: list[bool], job: str
):
    seen = edits(("epochs: 10", "epochs: many"), ("epochs: many", "epochs: 40"))
    answers.append(True)
    done = cli("edit", job)
    assert done.code == 0
    line = (seen / "1").read_text().split("epochs: many")[0].count("\n") + 1
    assert f"{job}.yaml:{line}:" in done.err
    assert store.jobs.spec(job)["train"]["epochs"] == 40


def test_who_gives_up_leaves_the_job_as_it_was(cli: Cli, store, edits: Editor, answers: list[bool], job: str):
    edits(("epochs: 10", "epochs: many"))
    answers.append(False)
    done = cli("edit", job)
    assert (done.code, done.err.endswith(f"{job} is as it was\n")) == (2, True)
    assert store.jobs.spec(job)["train"]["epochs"] == 10


def test_nobody_is_asked_without_a_terminal(cli: Cli, edits: Editor, monkeypatch, job: str):
    edits(("epochs: 10", "epochs: many"))
    done = cli("edit", job)
    assert (done.code, "train.epochs" in done.err) == (2, True)
    monkeypatch.delenv("EDITOR")
    done = cli("edit", job)
    assert (done.code, done.err) == (
        2,
        "fusionq: there is no terminal for an editor; say what changes: KEY.PATH=VALUE\n",
    )
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    done = cli("edit", job)
    assert (done.code, "name another editor: EDITOR=nano" in done.err) == (2, True)


def test_one_that_has_started_is_not_opened(cli: Cli, store, edits: Editor, job: str):
    seen = edits(("epochs: 10", "epochs: 40"))
    register(store)
    attempt = running(store, job)
    done = cli("edit", job)
    assert (done.code, done.err) == (
        7,
        f"fusionq: {job} has started already; cancel it, and then: fusionq retry --edit {job}\n",
    )
    assert cli("retry", "--edit", job).code == 7
    store.jobs.finish(job, attempt, Outcome.FAILED, "odd")
    assert cli("edit", job).code == 7
    assert not list(seen.iterdir())


def test_one_that_starts_while_it_is_edited_is_left_alone(
    cli: Cli, store, monkeypatch: pytest.MonkeyPatch, job: str
):
    register(store)

    def slow_person(text: str, **_: object) -> str:
        running(store, job)
        return text.replace("epochs: 10", "epochs: 40")

    monkeypatch.setenv("EDITOR", "any")
    monkeypatch.setattr(editor.click, "edit", slow_person)
    done = cli("edit", job)
    assert (done.code, f"{job} has started already" in done.err) == (7, True)
    assert store.jobs.spec(job)["train"]["epochs"] == 10


def test_a_sweep_is_edited_by_its_trials(cli: Cli, job_file: Path):
    sweep = cli("submit", job_file, "optimizer.lr=1,2").out.strip()
    done = cli("edit", sweep, "train.epochs=3")
    assert (done.code, f"name one: {sweep}-1" in done.err) == (2, True)


def test_one_that_has_ended_goes_on_with_what_was_edited(cli: Cli, store, edits: Editor, job: str):
    register(store)
    store.jobs.finish(job, running(store, job), Outcome.SUCCEEDED, "", {"epochs": 10})
    edits(("no such text", ""), ("epochs: 10", "epochs: 40"))
    done = cli("retry", "--edit", job)
    assert (done.code, done.out) == (0, "")
    assert f"nothing changed; {job} is as it was" in done.err
    assert store.jobs.get(job).is_finished
    done = cli("retry", "--edit", job)
    assert (done.code, done.out) == (0, f"{job}\n")
    assert store.jobs.get(job).status is Status.QUEUED
    assert store.jobs.spec(job)["train"]["epochs"] == 40
    assert cli("retry", "--edit", job, "other").code == 2
    assert cli("retry", "--edit", "--failed").code == 2
