"""A job process keeps to its share of a GPU: beyond it, torch says that it is out of memory."""

from __future__ import annotations

from typing import Any

import torch


def keep_to_share(share_bytes: int | None, cuda: Any = torch.cuda) -> None:
    """Limit this process to so many bytes of the one GPU that it sees; None has it all.

    `cuda` is torch.cuda or anything with its functions. What CUDA itself needs comes on top of the share.
    """
    if share_bytes is None or not cuda.is_available():
        return
    total = cuda.get_device_properties(0).total_memory
    cuda.set_per_process_memory_fraction(min(1.0, share_bytes / total), 0)
