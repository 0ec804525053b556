from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.installation import Installation


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of this test alone, without a worker."""
    installation = Installation(tmp_path_factory.mktemp("installation"))
    yield installation
    installation.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation for all tests of a module, with one worker that nobody harms."""
    installation = Installation(tmp_path_factory.mktemp("shared"))
    installation.cli("up")
    installation.worker = installation.start_worker("steady")
    yield installation
    installation.close()


@pytest.fixture
def steady(shared: Installation) -> subprocess.Popen[bytes]:
    return shared.worker
