"""What the shell offers when somebody presses Tab: ids of jobs that are there, and names of what else is.

It only looks: it starts no Redis, and whatever goes wrong offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from fusionq.cli.session import Session

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


complete_job = _jobs(lambda row: True)
complete_active_job = _jobs(lambda row: not row.is_finished)
complete_ended_job = _jobs(lambda row: row.is_finished)
complete_worker = _completer(
    lambda store, _: ((worker.name, worker.state_word) for worker in store.workers.all())
)
complete_queue = _completer(lambda store, _: ((name, "") for name in store.queues.counts()))


def complete_override(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Keys of the job file, up to the = behind them."""
    from fusionq.spec.describe import keys

    found = [key for key in keys() if not key.is_section and key.dotted.startswith(incomplete)]
    return [CompletionItem(f"{key.dotted}=", help=key.description) for key in found]


def complete_status(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from fusionq.spec.states import Status

    return [CompletionItem(word) for word in Status if word.startswith(incomplete)]


def complete_state(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from fusionq.cli.selecting import WORDS

    return [CompletionItem(word) for word in WORDS if word.startswith(incomplete)]
