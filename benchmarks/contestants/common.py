"""What all contestants share: the task, the loaders, and how an epoch is timed and told."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import models
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Normalize, ToTensor

BATCH_SIZE = 64
LEARNING_RATE = 1e-3
LOADER_WORKERS = 2
SYNTHETIC_IMAGES = 512
TRANSFORM = Compose([ToTensor(), Normalize((0.5,), (0.5,))])


class Clock:
    """Told at the end of every epoch (training and evaluation); the first is a warm-up and does not count."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def tick(self) -> None:
        self.marks.append(time.perf_counter())

    def report(self, **more: float) -> None:
        seconds = [b - a for a, b in zip(self.marks, self.marks[1:], strict=False)]
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print("RESULT " + json.dumps({"seconds": seconds, "peak_mb": peak_mb, **more}), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=["mlp", "cnn", "resnet18"], default="mlp")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--loader-workers", type=int, default=LOADER_WORKERS)
    parsed = parser.parse_args()
    torch.set_num_threads(parsed.threads)
    torch.manual_seed(0)
    return parsed


def network(task: str) -> nn.Module:
    if task == "mlp":
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 100),
            nn.ReLU(),
            nn.Linear(100, 100),
            nn.ReLU(),
            nn.Linear(100, 100),
            nn.ReLU(),
            nn.Linear(100, 10),
        )
    if task == "cnn":
        return nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(1568, 10),
        )
    return models.resnet18(num_classes=10)


def datasets(task: str, root: Path) -> tuple[Dataset, Dataset]:
    """MNIST as PIL images through transforms; for ResNet-18 random tensors in CIFAR's shape."""
    if task != "resnet18":
        return tuple(MNIST(str(root), train=train, transform=TRANSFORM) for train in (True, False))
    return TensorDataset(*synthetic(SYNTHETIC_IMAGES)), TensorDataset(*synthetic(SYNTHETIC_IMAGES // 4))


def synthetic(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    images = torch.randn(number, 3, 32, 32, generator=generator)
    return images, torch.randint(10, (number,), generator=generator)


def loaders(arguments: argparse.Namespace) -> tuple[DataLoader, DataLoader]:
    """The loaders that every peer is given."""
    train, test = datasets(arguments.task, arguments.data)
    options = {"batch_size": BATCH_SIZE, "num_workers": arguments.loader_workers}
    return DataLoader(train, shuffle=True, **options), DataLoader(test, shuffle=False, **options)


def quiet() -> None:
    """Peers may draw their bars; they are not to be timed by the terminal's speed."""
    import os

    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
