"""Celery's result backend shows what the records say, and harms nobody where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from celery import Celery

from fusionq.queue.celery_app import make_app
from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from fusionq.worker import celery_results as results_module
from fusionq.worker.celery_results import ResultView


@pytest.fixture
def app(store: Store) -> Iterator[Celery]:
    app = make_app(lambda: store.url)
    yield app
    app.close()


@pytest.fixture
def clock(stop_clock: Callable) -> Callable[[float], None]:
    return stop_clock(results_module)


def test_the_latest_point_is_seen_at_most_once_a_second(app: Celery, clock: Callable):
    view = ResultView(app)
    view.progress("job", {"epoch": 1})
    view.progress("job", {"epoch": 2})
    assert app.AsyncResult("job").state == "PROGRESS"
    assert app.AsyncResult("job").info == {"epoch": 1}
    clock(1.01)
    view.progress("job", {"epoch": 3})
    assert app.AsyncResult("job").info == {"epoch": 3}


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.SUCCEEDED, "SUCCESS"),
        (Outcome.FAILED, "FAILED"),
        (Outcome.CANCELLED, "CANCELLED"),
        (Outcome.TIMED_OUT, "TIMED_OUT"),
    ],
)
def test_the_end_is_seen_with_its_reason_and_its_result(app: Celery, outcome: Outcome, state: str):
    ResultView(app).end("job", outcome, "a reason", {"epochs": 3})
    result = app.AsyncResult("job")
    assert result.state == state
    assert result.info == {"outcome": str(outcome), "reason": "a reason", "epochs": 3}


def test_without_redis_nothing_is_written_and_nothing_breaks(tmp_path):
    app = make_app(lambda: f"unix://{tmp_path}/nobody.sock")
    ResultView(app).progress("job", {"epoch": 1})
    ResultView(app).end("job", Outcome.SUCCEEDED, "", {})
    app.close()
