"""A failure in a process of a DataLoader is told as one in the job's own process."""

from __future__ import annotations

from typing import Any

import pytest
from torch.utils.data import DataLoader

from fusionq.worker.job_process.failures import explain


class Broken:
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        try:
            raise KeyError("no such picture")
        except KeyError as error:
            raise ValueError("cannot decode this sample\nat all") from error


class Silent(Broken):
    def __getitem__(self, index: int) -> Any:
        raise ValueError


@pytest.mark.parametrize("dataset", [Broken(), Silent()])
def test_a_failure_in_a_loader_process_is_told_as_one_without_it(dataset: Any) -> None:
    told = []
    for num_workers in (0, 1):
        with pytest.raises(ValueError) as raised:  # noqa: PT011
            list(DataLoader(dataset, num_workers=num_workers))
        told.append(explain(raised.value, __file__.rpartition("/")[0]))
    assert told[0] == told[1]
    assert "ValueError" in told[1]["reason"]
    assert "(test_loader_errors.py, line " in told[1]["reason"]
    assert told[1]["reason"].endswith("in __getitem__)")
