"""Which job a person means: an id, the beginning of one, a name, or 'last'."""

from __future__ import annotations

import pytest

from fusionq.errors import NotFoundError, UsageError
from fusionq.store.store import Store
from tests.support import submit


@pytest.fixture
def jobs(any_store: Store):
    for job_id, name in [("a1b2", "mnist"), ("a1c3", "mnist"), ("d4", "cnn"), ("d", "short"), ("e5", "a1b2")]:
        submit(any_store, job_id, name=name)
    return any_store.jobs


@pytest.mark.parametrize(
    ("reference", "job_id"),
    [
        ("a1b2", "a1b2"),  # an id comes before a name
        ("a1c", "a1c3"),
        ("mnist", "a1c3"),  # the last job of that name
        ("cnn", "d4"),
        ("d", "d"),  # a whole id, though others begin so
        ("last", "e5"),
    ],
)
def test_a_job_is_found(jobs, reference, job_id):
    assert jobs.find(reference) == job_id


def test_a_beginning_of_several_jobs_is_wrong_use_and_names_them(jobs):
    with pytest.raises(
        UsageError, match="'a1' is the beginning of several jobs: a1b2, a1c3; write one more letter"
    ):
        jobs.find("a1")


def test_a_long_list_of_candidates_is_cut(any_store: Store):
    for i in range(8):
        submit(any_store, f"x{i}")
    with pytest.raises(UsageError, match="x0, x1, x2, x3, x4, …"):
        any_store.jobs.find("x")


@pytest.mark.parametrize("reference", ["zzz", "A1B2", "a1b2x", "mnis t", "[", "(", "+", "-", "*"])
def test_what_names_no_job_is_not_found(jobs, reference):
    with pytest.raises(NotFoundError, match="no such job") as caught:
        jobs.find(reference)
    assert caught.value.exit_code == 3


def test_an_empty_reference_is_wrong_use(jobs):
    with pytest.raises(UsageError):
        jobs.find("")


def test_without_any_job_there_is_no_last_one(any_store: Store):
    with pytest.raises(NotFoundError, match="no job was ever submitted"):
        any_store.jobs.find("last")


@pytest.mark.parametrize("method", ["get", "spec"])
def test_reading_an_unknown_job_is_not_found(any_store: Store, method):
    with pytest.raises(NotFoundError):
        getattr(any_store.jobs, method)("none")


def test_cancelling_an_unknown_job_is_not_found(any_store: Store):
    with pytest.raises(NotFoundError):
        any_store.jobs.cancel("none", "x")
