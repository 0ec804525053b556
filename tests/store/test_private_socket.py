"""Nobody else's Redis is taken for the user's own."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.store import private_socket
from fusionq.store.connection import connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.private_socket import make_socket_folder, socket_path
from tests.support import end_server

STRANGER = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as a second user")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short path, into which everybody may write."""
    with private_socket.tempfile.TemporaryDirectory(prefix="fq", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        monkeypatch.setattr(private_socket.tempfile, "tempdir", name)
        monkeypatch.delenv(private_socket.ENV_RUNTIME_DIR, raising=False)
        yield folder


@pytest.fixture
def far(tmp_path: Path, temporary: Path) -> Path:
    """A data folder whose path is too long for a socket."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir(mode=0o700)
    return folder


@contextmanager
def as_stranger(act: Callable[[], object]) -> Iterator[None]:
    """A process of another user that has done `act`, and lives meanwhile."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(STRANGER)
        os.setuid(STRANGER)
        act()
        os.write(tell, b"done")
        signal.pause()
    os.close(tell)
    try:
        assert os.read(told, 4) == b"done"
        yield
    finally:
        os.close(told)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def take_name(folder: Path) -> None:
    """Make a folder and a socket that looks like a Redis's, open to all."""
    folder.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "redis.sock"))
    listener.listen()
    (folder / "redis.sock").chmod(0o777)


def test_the_folder_of_a_far_socket_has_no_name_to_guess_and_is_found_again(far: Path, temporary: Path):
    assert socket_path(far) is None
    made = make_socket_folder(far)
    assert made.parent.parent == temporary
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert socket_path(far) == make_socket_folder(far) == made


def test_after_somebody_cleaned_up_it_lies_in_the_same_place(far: Path):
    made = make_socket_folder(far)
    made.parent.rmdir()
    assert make_socket_folder(far) == made
    assert made.parent.is_dir()


def test_a_folder_that_others_may_enter_is_not_used(far: Path):
    made = make_socket_folder(far)
    made.parent.chmod(0o755)
    assert make_socket_folder(far) != made


def test_the_runtime_directory_of_the_user_comes_first_unless_it_ends_with_the_session(
    far: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
):
    runtime = temporary / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv(private_socket.ENV_RUNTIME_DIR, str(runtime))
    assert make_socket_folder(far).parent.parent == runtime
    (far / "socket-path").unlink()
    monkeypatch.setattr(private_socket, "SESSION_FOLDERS", temporary)
    assert make_socket_folder(far).parent.parent == temporary


def test_a_data_folder_that_others_may_enter_is_closed_at_the_start(home: Path):
    server = EmbeddedRedis(home)
    server.folder.mkdir(parents=True)
    server.folder.chmod(0o755)
    server.ensure_running()
    assert server.folder.stat().st_mode & 0o777 == 0o700
    server.folder.chmod(0o770)
    with pytest.raises(StoreUnavailableError, match=r"is open to other users; close it: chmod 700 "):
        server.is_running()
    server.folder.chmod(0o700)


@as_root
def test_a_name_that_another_user_took_is_neither_spoken_to_nor_used(tmp_path: Path, temporary: Path):
    server = EmbeddedRedis(tmp_path / ("long" * 30))
    try:
        server.ensure_running()
        taken = server.socket
        server.stop()
        for file in taken.parent.iterdir():
            file.unlink()
        taken.parent.rmdir()
        with as_stranger(lambda: take_name(taken.parent)):
            assert not server.is_running()
            server.ensure_running()
            assert server.socket != taken
    finally:
        end_server(server)


@as_root
def test_a_data_folder_of_another_user_is_refused(temporary: Path):
    with as_stranger(lambda: (temporary / "home" / "redis").mkdir(parents=True)):
        pass
    with pytest.raises(StoreUnavailableError, match=r"/redis belongs to another user \(nobody\)"):
        EmbeddedRedis(temporary / "home").ensure_running()


@as_root
def test_a_process_of_another_user_behind_the_own_socket_is_refused(temporary: Path):
    folder = temporary / "own"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "redis.sock"))
        (folder / "redis.sock").chmod(0o700)
        with as_stranger(listener.listen):
            client = connect(f"unix://{folder}/redis.sock", own_socket=True)
            with pytest.raises(StoreUnavailableError, match=r"of another user \(nobody\) answers at"):
                client.ping()
            client.close()
