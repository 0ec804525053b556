"""A job keeps to its share of a GPU."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fusionq.worker.job_process.gpu_limit import keep_to_share


class FakeCuda:
    def __init__(self, *, is_available: bool = True) -> None:
        self.limits: list[tuple[float, int]] = []
        self._is_available = is_available

    def is_available(self) -> bool:
        return self._is_available

    def get_device_properties(self, device: int) -> SimpleNamespace:
        return SimpleNamespace(total_memory=80)

    def set_per_process_memory_fraction(self, fraction: float, device: int) -> None:
        self.limits.append((fraction, device))


@pytest.mark.parametrize(("share", "limits"), [(20, [(0.25, 0)]), (100, [(1.0, 0)]), (None, [])])
def test_a_job_is_limited_to_its_share(share: int | None, limits: list[tuple[float, int]]):
    cuda = FakeCuda()
    keep_to_share(share, cuda)
    assert cuda.limits == limits


def test_without_a_gpu_there_is_nothing_to_share():
    cuda = FakeCuda(is_available=False)
    keep_to_share(20, cuda)
    assert cuda.limits == []
