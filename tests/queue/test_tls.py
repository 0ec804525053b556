"""A real Redis that speaks TLS: store, broker and results reach it, and certificates are checked."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.queue.celery_app import make_app
from fusionq.store.connection import connect
from fusionq.store.server_binary import find_binaries
from fusionq.store.store import Store
from tests.support import submit, wait_until

OPENSSL = shutil.which("openssl")


def speaks_tls(binary: str) -> bool:
    """Whether this redis-server was built with TLS: else it does not know the option."""
    told = subprocess.run([binary, "--tls-port", "x"], capture_output=True, text=True, timeout=30)
    return "Bad directive" not in told.stdout + told.stderr


SERVER = next((one.path for one in find_binaries() if speaks_tls(one.path)), None)

pytestmark = pytest.mark.skipif(
    not (SERVER and OPENSSL), reason="needs openssl and a redis-server that was built with TLS"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that signs itself; its key lies beside it."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(
        [
            *(str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(path.with_suffix(".key")), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture(scope="module")
def address(certificate: Path) -> Iterator[str]:
    """host:port of a Redis that speaks TLS alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "--port": "0",
        "--tls-port": str(port),
        "--bind": "127.0.0.1",
        "--tls-cert-file": str(certificate),
        "--tls-key-file": str(certificate.with_suffix(".key")),
        "--tls-auth-clients": "no",
        "--save": "",
    }
    command = [str(SERVER), *(part for option in options.items() for part in option)]
    server = subprocess.Popen(command, cwd=certificate.parent, stdout=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens, what="the server", timeout_s=30)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    "query", ["ssl_ca_certs={}", "ssl_cert_reqs=none", "ssl_ca_certs={}&ssl_min_version=771"]
)
def test_jobs_messages_and_results_go_through_tls(address: str, certificate: Path, query: str):
    url = f"rediss://{address}/0?{query.format(certificate)}"
    store = Store(connect(url), url)
    store.check()
    store.redis.flushall()
    submit(store, "j")
    app = make_app(lambda: url)
    app.send_task("fusionq.schedule", queue="schedule", retry=False)
    app.backend.store_result("id", {"loss": 1}, "PROGRESS")
    app.close()
    assert store.jobs.count() == 1
    assert store.redis.llen("fusionq:celery:schedule") == 1
    assert store.redis.exists("fusionq:celery:celery-task-meta-id")
    store.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(address: str):
    client = connect(f"rediss://{address}/0")
    with pytest.raises(StoreUnavailableError, match=r"(?i)certificate verify failed"):
        client.ping()
    client.close()
