"""Which GPUs a worker has: what NVML says, narrowed by whoever started it."""

from __future__ import annotations

import pytest

from fusionq.errors import UsageError
from fusionq.worker.hardware.nvml import Gpu, find_gpus, visible_devices
from tests.worker.fake_nvml import FakeNvml

THREE = [("GPU-aa11", "A", 10), ("GPU-bb22", "B", 20), ("GPU-cc33", "C", 30)]


@pytest.fixture(autouse=True)
def unnarrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def indices(gpus: list[Gpu]) -> list[int]:
    return [gpu.index for gpu in gpus]


def test_all_gpus_are_found_with_what_they_are():
    nvml = FakeNvml(*THREE)
    assert find_gpus("all", nvml) == [
        Gpu(0, "GPU-aa11", "A", 10),
        Gpu(1, "GPU-bb22", "B", 20),
        Gpu(2, "GPU-cc33", "C", 30),
    ]
    assert nvml.inits == 0, "NVML is let go of"


def test_old_bindings_that_answer_in_bytes_are_understood():
    (gpu,) = find_gpus("all", FakeNvml((b"GPU-aa11", b"A", 10)))
    assert (gpu.uuid, gpu.name) == ("GPU-aa11", "A")


def test_without_a_driver_there_are_no_gpus():
    assert find_gpus("all", FakeNvml(*THREE, has_driver=False)) == []


def test_none_asks_nobody():
    assert find_gpus("none", FakeNvml(has_driver=False)) == []


@pytest.mark.parametrize(("chosen", "expected"), [("0", [0]), ("0,2", [0, 2]), ("2, 0", [0, 2])])
def test_gpus_are_chosen_by_number(chosen: str, expected: list[int]):
    assert indices(find_gpus(chosen, FakeNvml(*THREE))) == expected


def test_a_gpu_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(
        UsageError, match=r"--gpus \(FUSIONQ_WORKER_GPUS\): this machine has no GPU 7; it has: 0, 1, 2"
    ):
        find_gpus("0,7", FakeNvml(*THREE))
    with pytest.raises(UsageError, match=r"this machine has no GPU 0; it has: none"):
        find_gpus("0", FakeNvml())


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("1", [1]), ("0, 2", [0, 2]), ("GPU-bb22", [1]), ("GPU-b,GPU-c", [1, 2]), ("", []), ("-1", [])],
)
def test_what_the_starter_hid_stays_hidden(
    visible: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert indices(find_gpus("all", FakeNvml(*THREE))) == expected


def test_a_hidden_gpu_cannot_be_chosen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(UsageError, match="it has: 1"):
        find_gpus("0", FakeNvml(*THREE))


def test_a_job_sees_its_gpus_by_their_uuids_and_no_others():
    gpus = find_gpus("0,2", FakeNvml(*THREE))
    assert visible_devices(gpus)["CUDA_VISIBLE_DEVICES"] == "GPU-aa11,GPU-cc33"
    assert visible_devices([])["CUDA_VISIBLE_DEVICES"] == ""
