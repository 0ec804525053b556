"""How fast batches come, with nobody training on them."""

from __future__ import annotations

import json
import time

import torch
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from benchmarks.contestants import common
from fusionq.engine.data.resident import resident_batches


def images_per_s(batches, number: int) -> float:
    began = time.perf_counter()
    for _ in batches:
        pass
    return number / (time.perf_counter() - began)


def main() -> None:
    arguments = common.arguments()
    train_loader, _ = common.loaders(arguments)
    number = len(train_loader.dataset)
    data = MNIST(str(arguments.data), train=True)
    transforms = [v2.ToTensor(), v2.Normalize([0.5], [0.5])]
    resident = resident_batches(data, transforms, common.BATCH_SIZE, torch.device("cpu"), shuffle=True)
    speeds = {"resident": max(images_per_s(resident.epoch(epoch), number) for epoch in range(3))}
    speeds[f"DataLoader with {arguments.loader_workers} workers"] = images_per_s(train_loader, number)
    print("RESULT " + json.dumps(speeds))


if __name__ == "__main__":
    main()
