"""Blobs: stored once, kept as long as a record points to them."""

from __future__ import annotations

import pytest

from fusionq.errors import BlobGoneError
from fusionq.store import keys
from fusionq.store.blobs import UNUSED_MS
from fusionq.store.store import Store

CODE = "c" * 64
DIFF = "d" * 64
BYTES = bytes(range(256))


def submit(store: Store, job_id: str, **fields: str) -> bool:
    return store.jobs.submit(job_id, {}, {"name": job_id, "queue": "default", "priority": 0, **fields})


def is_kept(store: Store, digest: str) -> bool:
    return store.redis.pttl(keys.blob(digest)) == -1


def test_what_is_put_comes_back_byte_for_byte(any_store: Store):
    assert any_store.blobs.put(CODE, BYTES)
    assert any_store.blobs.get(CODE) == BYTES
    assert any_store.blobs.size(CODE) == 256
    assert any_store.blobs.get(DIFF) is None
    assert any_store.blobs.size(DIFF) == 0


def test_an_empty_blob_is_a_blob(any_store: Store):
    assert any_store.blobs.put(CODE, b"")
    assert any_store.blobs.exists(CODE)
    assert any_store.blobs.get(CODE) == b""


def test_the_same_is_stored_once(any_store: Store):
    assert any_store.blobs.put(CODE, BYTES)
    assert not any_store.blobs.put(CODE, BYTES)


def test_what_nobody_uses_expires_and_who_asks_for_it_holds_it_a_while(any_store: Store):
    assert not any_store.blobs.exists(CODE)
    any_store.blobs.put(CODE, BYTES)
    any_store.redis.pexpire(keys.blob(CODE), 5000)
    assert any_store.blobs.exists(CODE)
    assert 5000 < any_store.redis.pttl(keys.blob(CODE)) <= UNUSED_MS


def test_a_job_keeps_what_its_record_points_to(any_store: Store):
    any_store.blobs.put(CODE, BYTES)
    any_store.blobs.put(DIFF, b"diff")
    assert submit(any_store, "job", code=CODE, diff=DIFF)
    assert is_kept(any_store, CODE)
    assert is_kept(any_store, DIFF)
    assert any_store.blobs.exists(CODE)
    assert is_kept(any_store, CODE), "to ask for it gives it no expiry"
    record = any_store.jobs.get("job")
    assert (record.code, record.diff) == (CODE, DIFF)


def test_a_job_without_code_needs_none(any_store: Store):
    assert submit(any_store, "job", code="", diff="")
    assert any_store.redis.keys(keys.blob_users("*")) == []


def test_a_job_whose_blob_expired_meanwhile_is_not_stored_and_can_be_submitted_again(any_store: Store):
    any_store.blobs.put(CODE, BYTES)
    with pytest.raises(BlobGoneError):
        submit(any_store, "job", code=CODE, diff=DIFF)
    assert any_store.jobs.count() == 0
    assert not is_kept(any_store, CODE)
    assert any_store.redis.keys(keys.blob_users("*")) == []
    any_store.blobs.put(DIFF, b"diff")
    assert submit(any_store, "job", code=CODE, diff=DIFF)


def test_an_id_that_is_taken_makes_no_user(any_store: Store):
    any_store.blobs.put(CODE, BYTES)
    submit(any_store, "job")
    assert not submit(any_store, "job", code=CODE)
    assert not is_kept(any_store, CODE)


def test_a_blob_goes_with_its_last_user(any_store: Store):
    any_store.blobs.put(CODE, BYTES)
    submit(any_store, "one", code=CODE)
    submit(any_store, "two", code=CODE)
    assert not any_store.blobs.release(CODE, "one")
    assert not any_store.blobs.release(CODE, "one"), "a user that is gone is gone once"
    assert any_store.blobs.get(CODE) == BYTES
    assert any_store.blobs.release(CODE, "two")
    assert any_store.blobs.get(CODE) is None
    assert any_store.redis.keys(keys.blob_users("*")) == []


def test_who_was_no_user_takes_nothing_away(any_store: Store):
    any_store.blobs.put(CODE, BYTES)
    assert not any_store.blobs.release(CODE, "nobody")
    assert any_store.blobs.exists(CODE)
