"""A job's hash in Redis, read into a record."""

from __future__ import annotations

import json

from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status


def test_a_hash_with_the_least_is_a_record():
    record = JobRecord.from_hash("j1", {"status": "queued"})
    assert record == JobRecord(id="j1", name="", status=Status.QUEUED)


def test_what_a_newer_version_stored_is_left_out():
    assert JobRecord.from_hash("j1", {"status": "queued", "colour": "red"}).status is Status.QUEUED


def test_a_full_hash_is_read_with_its_types():
    record = JobRecord.from_hash(
        "j1",
        {
            "status": "finished",
            "outcome": "timed_out",
            "assigned_gpus": "0,3",
            "tags": '["a", "b"]',
            "submitted_at": "1500",
            "result": '{"x": 1}',
            "progress": "",
        },
    )
    assert (record.status, record.outcome, record.is_finished) == (Status.FINISHED, Outcome.TIMED_OUT, True)
    assert (record.assigned_gpus, record.tags, record.submitted_at) == ((0, 3), ("a", "b"), 1.5)
    assert (record.result, record.progress) == ({"x": 1}, {})


def test_one_word_says_where_a_job_is_or_how_it_ended():
    assert JobRecord.from_hash("j", {"status": "running"}).state_word == "running"
    assert JobRecord.from_hash("j", {"status": "finished", "outcome": "failed"}).state_word == "failed"


def test_a_record_travels_as_json():
    record = JobRecord.from_hash("j", {"status": "queued", "tags": '["a"]'})
    assert json.loads(json.dumps(record.to_json()))["tags"] == ["a"]
