"""One thread to compute with, and figures without windows: the same numbers on every machine."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest
import torch

from fusionq.engine import training


@pytest.fixture(scope="session", autouse=True)
def quiet_machine() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    matplotlib.use("agg")
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress after every batch instead of every second."""
    monkeypatch.setattr(training, "LOG_INTERVAL_S", 0.0)
