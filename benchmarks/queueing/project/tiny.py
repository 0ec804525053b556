"""A user's own module: a training of some milliseconds, the same for all that are compared."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SAMPLES = 256
BATCH_SIZE = 32
EPOCHS = 3


class Stamped(torch.optim.SGD):
    """Notes when its first step was done, by the clock that all processes of a machine share, and by whom."""

    def __init__(self, params, lr: float = 0.1, stamp: str = "", pause_s: float = 0.0) -> None:
        super().__init__(params, lr=lr)
        self.stamp = stamp
        self.pause_s = pause_s

    def step(self, closure=None):
        loss = super().step(closure)
        if self.stamp:
            with open(self.stamp, "a") as file:
                file.write(f"{time.monotonic()} {os.getpid()}\n")
            self.stamp = ""
        time.sleep(self.pause_s)
        return loss


def samples(number: int = SAMPLES) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(
        torch.randn(number, 64, generator=generator), torch.randint(10, (number,), generator=generator)
    )


def train(stamp: str) -> None:
    """The training by hand. The model, beside the stamp, is there when it is over."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    loader = DataLoader(samples(), batch_size=BATCH_SIZE, shuffle=True)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = Stamped(net.parameters(), stamp=stamp)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(EPOCHS):
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_fn(net(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(inputs)
        print(f"epoch {epoch + 1}: loss {total / SAMPLES:.4f}", flush=True)
    torch.save(net.state_dict(), f"{stamp}.part")
    Path(f"{stamp}.part").rename(f"{stamp}.pth")
