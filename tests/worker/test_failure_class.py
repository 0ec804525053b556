"""The class of an exception decides whether its job is tried again."""

from __future__ import annotations

import pytest
import torch

from fusionq.errors import CheckpointError, DataError, HookError, NonFiniteLossError, SpecError, TargetError
from fusionq.worker.job_process.failure_class import failure_class


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
        (MemoryError(), "oom"),
        (RuntimeError("CUDA error: out of memory"), "oom"),
        (caused(TargetError("model: Linear: too large"), MemoryError()), "oom"),
        (ValueError("the user typed: out of memory"), "error"),
        (HookError("no loss"), "error"),
        (DataError("data.train: empty"), "data_error"),
        (NonFiniteLossError("nan"), "non_finite_loss"),
        (TargetError("no such module"), "import_error"),
        (ModuleNotFoundError("No module named 'x'"), "import_error"),
        (SyntaxError("invalid syntax"), "import_error"),
        (SpecError([]), "import_error"),
        (KeyboardInterrupt(), "error"),
        (OSError(28, "No space left on device"), "disk_full"),
        (caused(CheckpointError("cannot write"), OSError(122, "Disk quota exceeded")), "disk_full"),
        (OSError(13, "Permission denied"), "error"),
    ],
)
def test_the_class_of_an_error(error: BaseException, failure: str):
    assert failure_class(error) == failure


def test_memory_of_the_host_that_torch_cannot_get_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert failure_class(caught.value) == "oom"
