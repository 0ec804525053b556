"""No server starts empty beside data that it cannot read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.spec.settings import Settings
from fusionq.store import embedded as module
from fusionq.store import server_binary
from fusionq.store.data_files import DataFiles
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.server_binary import ServerBinary, find_binaries, parse_version
from fusionq.store.store import Store
from tests.support import submit

OLD = ServerBinary("/old/redis-server", (6, 2, 14))
NEW = ServerBinary("/new/redis-server", (7, 0, 15))
NEWER = ServerBinary("/newer/redis-server", (7, 4, 1))


@pytest.fixture
def files(tmp_path: Path) -> DataFiles:
    return DataFiles(tmp_path)


def write(path: Path, text: str = "data") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_without_data_the_first_server_is_taken(files: DataFiles):
    assert files.choose_server([OLD, NEW]) == OLD
    assert files.choose_server([NEW, OLD]) == NEW


def test_a_server_that_lacks_commands_is_passed_over_and_refused(files: DataFiles):
    older = ServerBinary("/usr/bin/redis-server", (6, 0, 16))
    assert files.choose_server([older, OLD]) == OLD
    with pytest.raises(StoreUnavailableError) as caught:
        files.choose_server([older])
    assert str(caught.value) == (
        "fusionq needs Redis 6.2 or newer, and this machine has 6.0.16 (/usr/bin/redis-server); "
        "put redis-server 6.2 or newer on PATH (apt install redis-server)"
    )


def test_what_an_old_server_wrote_any_reads(files: DataFiles, tmp_path: Path):
    write(tmp_path / "appendonly.aof")
    files.note_writer(OLD)
    assert files.choose_server([OLD]) == OLD
    assert files.choose_server([NEW]) == NEW


def test_a_server_older_than_the_writer_is_passed_over_and_refused(files: DataFiles, tmp_path: Path):
    write(tmp_path / "appendonlydir" / "appendonly.aof.manifest")
    files.note_writer(NEWER)
    assert files.choose_server([NEW, OLD, NEWER]) == NEWER
    with pytest.raises(StoreUnavailableError) as caught:
        files.choose_server([NEW, OLD])
    assert str(caught.value) == (
        f"the jobs in {tmp_path} were written by Redis 7.4.1, and this machine has 7.0.15 "
        "(/new/redis-server) and 6.2.14 (/old/redis-server); "
        "put redis-server 7.4.1 or newer on PATH (apt install redis-server)"
    )


def test_a_folder_of_parts_tells_without_a_note_that_redis_7_wrote_it(files: DataFiles, tmp_path: Path):
    write(tmp_path / "appendonlydir" / "appendonly.aof.manifest")
    with pytest.raises(StoreUnavailableError, match=r"by Redis 7\.0, and this machine has 6\.2\.14"):
        files.choose_server([OLD])


def test_the_note_never_goes_back(files: DataFiles, tmp_path: Path):
    files.note_writer(NEW)
    files.note_writer(OLD)
    assert (tmp_path / "server-version").read_text() == "7.0.15"


def test_two_queues_in_one_folder_are_for_a_person_to_decide(files: DataFiles, tmp_path: Path):
    write(tmp_path / "appendonlydir" / "appendonly.aof.manifest")
    single = write(tmp_path / "appendonly.aof")
    with pytest.raises(StoreUnavailableError, match="holds the data of two queues"):
        files.choose_server([NEW])
    single.write_text("")  # an older server began there, and nothing came
    assert files.choose_server([NEW]) == NEW


def test_parts_without_their_manifest_are_refused(files: DataFiles, tmp_path: Path):
    write(tmp_path / "appendonlydir" / "appendonly.aof.1.base.rdb")
    with pytest.raises(StoreUnavailableError, match=r"without its \.manifest file"):
        files.choose_server([NEW])


def test_a_version_that_cannot_be_read_keeps_nobody_out(files: DataFiles):
    files.note_writer(ServerBinary("/odd", ()))
    assert files.choose_server([ServerBinary("/odd", ())]).path == "/odd"
    assert (parse_version("7.0.15"), parse_version("unstable")) == ((7, 0, 15), ())


# --- with real servers ---------------------------------------------------------------------------------


def test_the_embedded_redis_refuses_the_files_of_a_newer_one(settings: Settings, monkeypatch):
    server = EmbeddedRedis(settings.home)
    server.folder.mkdir(parents=True)
    write(server.folder / "server-version", "99.1")
    with pytest.raises(StoreUnavailableError, match=r"were written by Redis 99\.1, and this machine has"):
        Store.open(settings)
    assert not server.is_running()


def test_a_snapshot_alone_is_restored_and_kept(settings: Settings):
    server = EmbeddedRedis(settings.home)
    store = Store.open(settings)
    submit(store, "j", name="kept")
    store.redis.save()
    store.close()
    server.stop()
    (server.folder / "appendonly.aof").unlink(missing_ok=True)
    shutil.rmtree(server.folder / "appendonlydir", ignore_errors=True)
    for _ in range(2):  # the second time from the append-only file
        store = Store.open(settings)
        assert store.jobs.get("j").name == "kept"
        assert store.redis.config_get("appendonly") == {"appendonly": "yes"}
        store.close()
        server.stop()
    assert (server.folder / "dump.rdb.restored").exists()


def bundled() -> ServerBinary:
    return next(one for one in find_binaries() if one.version < (7,))


def of_version_7() -> ServerBinary:
    return next(one for one in find_binaries() if one.version >= (7,))


@pytest.mark.skipif(
    not {one.version >= (7,) for one in find_binaries()} >= {True, False},
    reason="needs a redis-server 7 on PATH beside the one of the package",
)
def test_jobs_survive_a_newer_server_that_comes_and_goes(settings: Settings, monkeypatch):
    server = EmbeddedRedis(settings.home)

    def use(*binaries: ServerBinary) -> None:
        server.stop()
        monkeypatch.setattr(module, "find_binaries", lambda: list(binaries))

    use(bundled())
    with Store.open(settings).redis as client:
        submit(Store(client), "first")
    use(of_version_7())
    with Store.open(settings).redis as client:
        submit(Store(client), "second")
    use(bundled())
    with pytest.raises(StoreUnavailableError, match=r"were written by Redis \d+\.\d+\.\d+, and"):
        Store.open(settings)
    use(bundled(), of_version_7())
    with Store.open(settings).redis as client:
        assert Store(client).jobs.count() == 2


def test_the_version_of_a_program_that_says_nothing_is_unknown(tmp_path: Path, monkeypatch):
    odd = write(tmp_path / "redis-server", "#!/bin/sh\nexit 1\n")
    odd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert server_binary.find_binaries()[0] == ServerBinary(str(odd), ())
