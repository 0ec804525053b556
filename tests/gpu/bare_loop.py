"""The network of jobs/mnist.yaml in the best loop that we can write by hand, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise

import torch
from torch import nn
from torchvision.datasets import MNIST

from fusionq.engine.data.digits import Digits
from tests.mnist import MNIST_ROOT

EPOCHS = 6
BATCH_SIZE = 64


def epochs_per_s(device: str) -> float:
    """Of the fastest epoch, with its evaluation."""
    command = [sys.executable, "-m", "tests.gpu.bare_loop", device]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def data(train: bool, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    found = MNIST(str(MNIST_ROOT), train=train) if MNIST_ROOT else Digits(size=28, train=train)
    images = found.data.unsqueeze(1).to(device).float().div_(255)
    return images, torch.as_tensor(found.targets).to(device)


def main(device: torch.device) -> None:
    images, targets = data(True, device)
    test_images, test_targets = data(False, device)
    widths = (784, 100, 100, 100)
    layers = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), nn.ReLU())]
    net = nn.Sequential(nn.Flatten(), *layers, nn.Linear(100, 10)).to(device)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    fastest = float("inf")
    for _ in range(EPOCHS):
        began = time.perf_counter()
        total, hits = torch.zeros((), device=device), torch.zeros((), device=device, dtype=torch.long)
        for index in torch.randperm(len(images)).to(device).split(BATCH_SIZE):
            labels = targets.index_select(0, index)
            outputs = net(images.index_select(0, index))
            loss = loss_fn(outputs, labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(index)
            hits += (outputs.detach().argmax(1) == labels).sum()
        with torch.no_grad():
            pairs = zip(test_images.split(256), test_targets.split(256), strict=True)
            correct = sum((net(some).argmax(1) == theirs).sum() for some, theirs in pairs)
        float(total), int(hits), int(correct)  # waits for the device
        fastest = min(fastest, time.perf_counter() - began)
    print(1 / fastest)


if __name__ == "__main__":
    main(torch.device(sys.argv[1]))
