"""What the shell offers when somebody presses Tab: ids of jobs that are there, and names of what else is.

It only looks: it starts no Redis, and whatever goes wrong offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from fusionq.cli.session import Session
from fusionq.spec.states import Status

if TYPE_CHECKING:
    from fusionq.spec.record import JobRecord, SweepRecord
    from fusionq.store.store import Store

NEWEST = 200  # jobs that are offered at most
LAST = "last"

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(offers: Callable[[Store, str], Iterable[tuple[str, str]]]) -> Completer:
    """From what yields words with a line of help each."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        session = Session()
        try:
            if not _is_there(session):
                return []
            known = dict(offers(session.store, incomplete))
            return [
                CompletionItem(word, help=text) for word, text in known.items() if word.startswith(incomplete)
            ]
        except Exception:
            return []  # a traceback between two key strokes helps nobody
        finally:
            session.close()

    return complete


def _is_there(session: Session) -> bool:
    from fusionq.store.embedded import EmbeddedRedis

    return bool(session.settings.redis_url) or EmbeddedRedis(session.settings.home).is_running()


def _jobs(wanted: Callable[[JobRecord | SweepRecord], bool]) -> Completer:
    """Ids, the newest first, and once a letter is typed names too."""

    def offers(store: Store, incomplete: str) -> Iterator[tuple[str, str]]:
        rows = [row for row in reversed(store.rows(NEWEST)) if wanted(row)]
        if rows:
            yield LAST, "the job that was submitted last"
        for row in rows:
            yield row.id, f"{row.name}, {row.state_word.replace('_', ' ')}"
        for row in rows if incomplete else ():
            yield row.name, f"the last of this name, {row.id}"

    return _completer(offers)


def _values(store: Store, values: Callable[[JobRecord], Iterable[str]]) -> Iterator[tuple[str, str]]:
    """What the newest jobs have of something, each once."""
    for record in reversed(store.jobs.newest(NEWEST)):
        for value in values(record):
            yield value, ""


def _metrics(record: JobRecord) -> Iterable[str]:
    return {**record.progress.get("values", {}), **record.result.get("values", {})}


complete_job = _jobs(lambda row: True)
complete_active_job = _jobs(lambda row: not row.is_finished)
complete_running_job = _jobs(lambda row: row.state_word == Status.RUNNING)
complete_ended_job = _jobs(lambda row: row.is_finished)
complete_worker = _completer(
    lambda store, _: ((worker.name, worker.state_word) for worker in store.workers.all())
)
complete_tag = _completer(lambda store, _: _values(store, lambda record: record.tags))
complete_user = _completer(lambda store, _: _values(store, lambda record: (record.user,)))
complete_name = _completer(lambda store, _: _values(store, lambda record: (record.name,)))
complete_metric = _completer(lambda store, _: _values(store, _metrics))
complete_queue = _completer(lambda store, _: ((name, "") for name in store.queues.counts()))


def complete_override(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Keys of the job file, up to the = behind them."""
    from fusionq.spec.describe import keys

    found = [key for key in keys() if not key.is_section and key.dotted.startswith(incomplete)]
    items = [CompletionItem(f"{key.dotted}=", help=key.description) for key in found]
    return items + [CompletionItem(f"{word}=") for word in _arguments(ctx) if word.startswith(incomplete)]


def _arguments(ctx: click.Context) -> Iterator[str]:
    """The keys that the job file itself has, such as `optimizer.lr`: arguments of what it builds."""
    file = ctx.params.get("file")
    if file is None:
        return
    try:
        from fusionq.spec.reader import read_text

        data = read_text(file.read_text(encoding="utf-8"), str(file), {}).data
    except Exception:
        return  # a file that cannot be read offers nothing
    yield from _dotted(data, "")


def _dotted(block: Any, prefix: str) -> Iterator[str]:
    if not isinstance(block, dict):
        return
    for key, value in block.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}"


def complete_state(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from fusionq.cli.selecting import WORDS

    return [CompletionItem(word) for word in WORDS if word.startswith(incomplete)]


def complete_failure(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from fusionq.spec.failures import FAILURES

    return [
        CompletionItem(name, help=failure.words)
        for name, failure in FAILURES.items()
        if name.startswith(incomplete)
    ]
