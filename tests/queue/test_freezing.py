"""What a submission freezes: stored once, pointed to by the record."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from fusionq.errors import BlobGoneError
from fusionq.queue import code_archives, snapshot
from fusionq.queue.code_archives import CodeError, fetch, forget
from fusionq.queue.freezing import Frozen, freeze
from fusionq.queue.snapshot import CodeTooLargeError
from fusionq.queue.tree import unpack
from fusionq.spec.job import JobSpec
from fusionq.spec.load import from_yaml
from fusionq.spec.paths import artifact_file
from fusionq.spec.settings import Settings
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.queue.folders import git, make_repository, write
from tests.queue.submitted import submit
from tests.queue.test_submitting import FakeSender
from tests.support import ONE_JOB, register, running

OWN = "trainer: own.Trainer\n"


def spec(more: str = "") -> JobSpec:
    return from_yaml(ONE_JOB + more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "work", "own.py")
    return tmp_path / "work"


def names(store: Store, settings: Settings, frozen: Frozen) -> set[str]:
    archive = fetch(store, settings.runs, str(frozen.fields["code"]))
    return {file.path for file in unpack(archive)}


def test_a_job_with_own_code_takes_its_folder_along(store: Store, settings: Settings, folder: Path):
    frozen = freeze(store, settings, [spec(OWN)], folder)
    job_id = submit(store, FakeSender(), spec(OWN), folder, frozen)
    assert store.jobs.get(job_id).code == frozen.fields["code"]
    assert names(store, settings, frozen) == {"own.py"}
    assert store.redis.smembers(keys.blob_users(store.jobs.get(job_id).code)) == {job_id}


def test_a_job_of_ready_made_parts_takes_nothing_along(store: Store, settings: Settings, folder: Path):
    frozen = freeze(store, settings, [spec()], folder)
    assert (frozen.fields["code"], frozen.notes) == ("", ())
    job_id = submit(store, FakeSender(), spec(), folder, frozen)
    assert store.jobs.get(job_id).code == ""
    assert store.redis.keys(keys.blob("*")) == []


def test_the_code_section_decides(store: Store, settings: Settings, folder: Path):
    write(folder, "src/lib.py", "src/weights.bin")
    assert freeze(store, settings, [spec(OWN + "code: none\n")], folder).fields["code"] == ""
    chosen = freeze(store, settings, [spec("code: {path: src, exclude: ['*.bin']}\n")], folder)
    assert names(store, settings, chosen) == {"lib.py"}


def test_a_model_of_another_job_brings_its_need_of_code_along(store: Store, settings: Settings, folder: Path):
    data = {**spec().to_data(), "model": {"_target_": "own.Net"}}
    store.jobs.submit("first", data, {"name": "first", "queue": "default", "priority": 0})
    register(store)
    store.jobs.finish("first", running(store, "first"), Outcome.SUCCEEDED, "", {"best_model": "x.pth"})
    child = from_yaml(
        "{task: evaluate, model: {from: first}, data: {test: Digits}, metrics: {test: [Accuracy]}}"
    )
    assert freeze(store, settings, [child], folder).fields["code"]


def test_two_submissions_of_the_same_files_store_them_once(
    store: Store, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    first = freeze(store, settings, [spec(OWN)], folder)
    monkeypatch.setattr(snapshot, "pack", lambda files: pytest.fail("nothing is to be packed again"))
    os.utime(folder / "own.py", (1, 1))
    assert freeze(store, settings, [spec(OWN)], folder).fields == first.fields
    assert len(store.redis.keys(keys.blob("*"))) == 1


def test_runs_and_data_of_the_folder_are_no_code(store: Store, home: Path, folder: Path):
    write(folder, "runs/a/output.log", "data/image.png", "elsewhere/set/image.png", "home/x")
    settings = Settings(home=folder / "home", runs=folder / "runs")
    more = OWN + "data: {train: {_target_: MNIST, root: elsewhere/set}}\n"
    own = from_yaml((ONE_JOB + more).replace("data: {train: {_target_: Digits}}\n", "", 1))
    assert names(store, settings, freeze(store, settings, [own], folder)) == {"own.py"}


def test_a_folder_that_is_too_large_stops_only_who_needs_it(
    store: Store, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(snapshot, "MOST_BYTES", 3)
    with pytest.raises(CodeTooLargeError):
        freeze(store, settings, [spec(OWN)], folder)
    assert freeze(store, settings, [spec()], folder).fields["code"] == ""
    assert freeze(store, settings, [spec(OWN + "code: none\n")], folder).fields["code"] == ""


def test_what_could_not_be_stored_is_told(store: Store, settings: Settings, folder: Path):
    (folder / "out").symlink_to("/dev/null")
    (note,) = freeze(store, settings, [spec(OWN)], folder).notes
    assert note == "out is not stored with the job: it is a link to no file and no folder of code"


# --- where the code stands in git ------------------------------------------------------------------


def test_the_record_knows_the_commit_and_the_diff_is_a_blob(store: Store, settings: Settings, folder: Path):
    make_repository(folder)
    write(folder, "own.py", content="changed = 1\n")
    for more in (OWN, ""):
        frozen = freeze(store, settings, [spec(more)], folder)
        record = store.jobs.get(submit(store, FakeSender(), spec(more), folder, frozen))
        commit = git(folder, "rev-parse", "HEAD")
        assert record.provenance == {"commit": commit, "branch": "trunk", "dirty": True}
        assert "+changed = 1" in gzip.decompress(store.blobs.get(record.diff) or b"").decode()


def test_without_a_repository_there_is_nothing_to_tell(store: Store, settings: Settings, folder: Path):
    fields = freeze(store, settings, [spec(OWN)], folder).fields
    assert (fields["diff"], json.loads(str(fields["provenance"]))) == ("", {})


# --- what expired ----------------------------------------------------------------------------------


def test_code_that_expired_before_the_job_was_stored_is_put_again(
    store: Store, settings: Settings, folder: Path
):
    make_repository(folder)
    write(folder, "own.py", content="as submitted")
    frozen = freeze(store, settings, [spec(OWN)], folder)
    write(folder, "own.py", content="edited since")
    store.redis.delete(*store.redis.keys(keys.blob("*")))
    record = store.jobs.get(submit(store, FakeSender(), spec(OWN), folder, frozen))
    (file,) = unpack(fetch(store, settings.runs, record.code))
    assert file.content == b"as submitted"
    assert store.blobs.get(record.diff)


def test_what_cannot_be_put_again_is_told(store: Store, folder: Path):
    frozen = Frozen({"code": "c" * 64})
    with pytest.raises(BlobGoneError, match="submit it again"):
        submit(store, FakeSender(), spec(OWN), folder, frozen)
    assert store.jobs.count() == 0


# --- archives that are too large for Redis ---------------------------------------------------------


@pytest.fixture
def small_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_archives, "MOST_IN_REDIS", 10)


def test_a_large_archive_lies_in_the_artifact_folder(
    store: Store, settings: Settings, folder: Path, small_redis: None
):
    frozen = freeze(store, settings, [spec(OWN)], folder)
    digest = str(frozen.fields["code"])
    job_id = submit(store, FakeSender(), spec(OWN), folder, frozen)
    assert store.blobs.get(digest) == b""
    assert [path.name for path in (settings.runs / ".artifacts").iterdir()] == [digest]
    assert names(store, settings, frozen) == {"own.py"}
    forget(store, settings.runs, digest, "another")
    assert artifact_file(settings.runs, digest).exists()
    forget(store, settings.runs, digest, job_id)
    assert not artifact_file(settings.runs, digest).exists()


def test_a_large_archive_that_is_gone_is_written_again(
    store: Store, settings: Settings, folder: Path, small_redis: None
):
    digest = str(freeze(store, settings, [spec(OWN)], folder).fields["code"])
    artifact_file(settings.runs, digest).unlink()
    with pytest.raises(CodeError, match="must share one folder of runs"):
        fetch(store, settings.runs, digest)
    frozen = freeze(store, settings, [spec(OWN)], folder)
    assert names(store, settings, frozen) == {"own.py"}


def test_an_artifact_folder_that_cannot_be_written_is_told(
    store: Store, settings: Settings, folder: Path, small_redis: None
):
    settings.runs.parent.mkdir(parents=True, exist_ok=True)
    settings.runs.write_text("a file")
    with pytest.raises(CodeError, match="the job's code cannot be stored"):
        freeze(store, settings, [spec(OWN)], folder)
    assert store.redis.keys(keys.blob("*")) == []


def test_code_that_is_not_stored_any_more_is_told(store: Store, settings: Settings):
    with pytest.raises(CodeError, match="not stored any more"):
        fetch(store, settings.runs, "c" * 64)


# --- secrets -----------------------------------------------------------------------------------------


def test_files_of_secrets_and_secrets_in_a_diff_are_not_stored(
    store: Store, settings: Settings, folder: Path
):
    write(folder, ".env", "certs/box.pem", content="before\n")
    make_repository(folder)
    write(folder, "own.py", content="api_key = 'hunter22'\nepochs = 3\n")
    write(folder, ".env", content="WORD=hunter22\n")
    frozen = freeze(store, settings, [spec(OWN)], folder)
    assert names(store, settings, frozen) == {"own.py"}
    assert [note for note in frozen.notes if "by its name it holds secrets" in note] == [
        ".env is not stored with the job: by its name it holds secrets",
        "certs/box.pem is not stored with the job: by its name it holds secrets",
    ]
    diff = gzip.decompress(store.blobs.get(str(frozen.fields["diff"])) or b"").decode()
    assert "+epochs = 3" in diff
    assert "hunter22" not in diff


def test_a_secret_of_the_job_file_is_told_of(store: Store, settings: Settings, folder: Path):
    (note,) = freeze(store, settings, [spec("env: {API_KEY: abc, OTHER_KEY: env:X}\n")], folder).notes
    assert note.startswith("env.API_KEY looks like a secret, which Redis stores as it is")
    assert note.endswith("write env: {API_KEY: env:API_KEY}")


def test_large_code_is_stored_for_its_owner_alone(
    store: Store, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(code_archives, "MOST_IN_REDIS", 1)
    frozen = freeze(store, settings, [spec(OWN)], folder)
    archive = artifact_file(settings.runs, str(frozen.fields["code"]))
    assert (archive.stat().st_mode & 0o777, archive.parent.stat().st_mode & 0o777) == (0o600, 0o700)
