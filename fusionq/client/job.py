"""One job, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from fusionq.client.command_input import BytesInput
from fusionq.client.follow import Once
from fusionq.client.metrics import Metrics, read_metrics
from fusionq.client.missed_output import log_path, read_missed
from fusionq.client.wait import wait_for_jobs
from fusionq.errors import NotFoundError, StateError
from fusionq.queue.changed_retry import retry_changed
from fusionq.queue.current_spec import read_current_spec
from fusionq.queue.job_edit import edit_job
from fusionq.queue.reasons import why_each
from fusionq.spec.metric_keys import measured
from fusionq.spec.overrides import override_texts
from fusionq.spec.progress import share_done
from fusionq.spec.record import JobRecord
from fusionq.spec.run_files import BEST
from fusionq.spec.states import Outcome, Status
from fusionq.spec.stops import CANCELLED_WHILE_IT_WAITED
from fusionq.store.streams import BEGINNING

if TYPE_CHECKING:
    from torch import nn

    from fusionq.client.client import Client


class Job:
    """Made by a `Client`. What it says is asked of Redis each time, but for `id`."""

    def __init__(self, client: Client, job_id: str, record: JobRecord | None = None) -> None:
        self._client = client
        self.id = job_id
        self._last = record  # the last that was read; once a job is over nothing of it changes

    # --- where it stands -----------------------------------------------------------------------------

    @property
    def record(self) -> JobRecord:
        """All that is known of it now. Raises NotFoundError once it was removed."""
        self._last = self._client.store.jobs.get(self.id)
        return self._last

    @property
    def name(self) -> str:
        return (self._last or self.record).name

    @property
    def status(self) -> str:
        """One word: waiting, queued, assigned, running, succeeded, failed, cancelled or timed_out."""
        return self.record.state_word

    @property
    def is_finished(self) -> bool:
        return self.record.is_finished

    @property
    def succeeded(self) -> bool:
        return self.record.outcome is Outcome.SUCCEEDED

    @property
    def progress(self) -> float:
        """How much of it is done, from 0 to 1."""
        record = self.record
        return 1.0 if record.outcome is Outcome.SUCCEEDED else share_done(record.progress)

    @property
    def result(self) -> dict[str, Any]:
        """What it came to: best epoch and value, the values of the last epoch, files; {} before."""
        return self.record.result

    @property
    def run_dir(self) -> Path:
        """Its folder, where this machine sees it. Raises NotFoundError before the job first starts."""
        return self.record.paths.root

    def why(self) -> str:
        """Why it waits, or how it ended; '' where it simply goes on."""
        record = self.record
        if record.status is Status.QUEUED:
            return why_each(self._client.store, [self.id]).get(self.id, "")
        return record.reason

    def wait(self, timeout: float | None = None) -> Self:
        """Until it has ended, however it did, in `timeout` seconds at most.

        Raises TimeoutError, and NotFoundError where it was removed.
        """
        for record in wait_for_jobs(self._client.store, [self.id], timeout_s=timeout):
            self._last = record
            return self
        raise NotFoundError(f"{self.id} was removed")

    # --- what it says ----------------------------------------------------------------------------------

    def metrics(self) -> Metrics:
        """What it measured after each epoch so far."""
        return read_metrics(self._client.store, self.record)

    def logs(self, follow: bool = False) -> Iterator[str]:
        """What it printed, in pieces as they came; with `follow` on to its end."""
        store, once = self._client.store, Once()
        cursor = BEGINNING
        while True:
            seen = store.streams.last_event()
            is_over = not follow or self.record.is_finished
            for chunk in once.of(store.streams.log(self.id, cursor)):
                cursor = chunk.cursor
                if once.missed is not None:
                    yield from self._missed(*once.missed)
                yield chunk.text
            if is_over:
                return
            store.streams.await_log(self.id, cursor, seen)

    def _missed(self, start: int, end: int) -> Iterator[str]:
        """What the stream no longer holds, from the run folder or as a line that says so."""
        record = self.record
        try:
            yield from read_missed(self._client.store, record, start, end)
        except OSError:
            where = f"{log_path(record)} on {record.host}"
            yield f"\n[{end - start:,} bytes of output are missing here; they are in {where}]\n"

    def download(self, folder: str | Path | None = None, *parts: str) -> list[Path]:
        """Its files into `folder` (default: one named by its id), if need be through Redis; where they are.

        parts: "best", "logs", "metrics", "checkpoints"; without any, all but the checkpoints. Raises
        NotFoundError where there is nothing like that, or nobody sees it.
        """
        return self._client.download(self.record, Path(folder or self.id), parts)

    def model(self) -> nn.Module:
        """Its network with the weights of its best epoch, on the CPU, ready to predict. Needs torch.

        Raises NotFoundError where it has none, or it cannot be had.
        """
        from fusionq.client.model import best_model

        name = Path(self.result.get("best_model", "")).name
        if not name:
            raise NotFoundError(f"{self.id} has no best model")
        with TemporaryDirectory() as folder:
            files = {file.name: file for file in self.download(folder, BEST)}
            if name not in files:
                raise NotFoundError(f"{self.id} has no best model any more: {name}")
            return best_model(self._client.store.jobs.spec(self.id), files[name], self.id)

    def exec(
        self,
        command: Sequence[str],
        on_output: Callable[[bytes], None] | None = None,
        *,
        input: bytes | None = None,
    ) -> int:
        """Run a command beside it, in its environment, folder and GPUs; returns its exit code.

        command: its words, such as ["nvidia-smi", "-L"]. on_output gets what it prints, as it comes; input is
        what it reads. Whatever is raised meanwhile ends the command. Raises StateError where the job does not
        run, or stops.
        """
        source = None if input is None else BytesInput(input)
        return self._client.run_command(self.record, command, on_output, source)

    # --- what is done to it ----------------------------------------------------------------------------

    def cancel(self, *, now: bool = False, wait: bool = True) -> Self:
        """Stop it for good. One that runs saves its state first, unless it is to be gone `now`."""
        answer = self._client.store.jobs.cancel(self.id, CANCELLED_WHILE_IT_WAITED, now=now)
        self._client.ask_for_pass()
        return self.wait() if wait and answer == "asked" else self

    def retry(self, overrides: Mapping[str, Any] | None = None, *, fresh: bool = False) -> Self:
        """Queue it once more; it goes on from its last state, or begins anew. Raises FusionqError.

        overrides: changes of its job file, as in `Client.submit`, such as {"train.epochs": 40}: one that has
        succeeded goes on with them. What its state depends on changes only with `fresh`.
        """
        if overrides:
            answer = retry_changed(self._client.store, self.id, override_texts(overrides), fresh=fresh)
        else:
            answer = self._client.store.jobs.retry(self.id, fresh=fresh)
        if answer != "retried":
            why = "has not ended" if answer == "active" else "has succeeded; fresh=True begins anew"
            raise StateError(f"{self.id} {why}")
        self._client.ask_for_pass()
        return self

    def edit(self, overrides: Mapping[str, Any]) -> list[str]:
        """Change the job file of one that was never started, and return the keys that changed.

        overrides: as in `Client.submit`. It keeps its place by submission. Raises FusionqError: for a
        mistake, for a key that cannot change, and where the job has started.
        """
        current = read_current_spec(self._client.store, self.id)
        changed = edit_job(self._client.store, current, current.with_overrides(override_texts(overrides)))
        if changed:
            self._client.ask_for_pass()
        return changed

    def hold(self, reason: str = "held by a program") -> Self:
        """Keep it from running until `release`; one that runs saves its state first."""
        self._client.store.jobs.hold(self.id, reason)
        return self

    def release(self) -> Self:
        self._client.store.jobs.release(self.id)
        self._client.ask_for_pass()
        return self

    # --- how it shows itself ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        record = self.record
        return f"Job({self.id!r}, {record.name!r}, {record.state_word}, {self.progress:.0%})"

    def _repr_html_(self) -> str:
        """In a notebook: a line of a table, with a bar."""
        record, share = self.record, self.progress
        values = {**record.progress.get("values", {}), **record.result.get("values", {})}
        cells = [self.id, record.name, record.state_word.replace("_", " ")]
        cells += [f"{key} {value:.4g}" for key, value in measured(values).items()]
        row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        return f'<table><tr>{row}<td><progress value="{share:.3f}"></progress> {share:.0%}</td></tr></table>'
