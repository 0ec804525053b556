"""(h) Hugging Face Accelerate, as its documentation shows it."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import nn
from tqdm import tqdm

from benchmarks.contestants import common


def main() -> None:
    arguments = common.arguments()
    common.quiet()
    accelerator = Accelerator(cpu=True)
    net = common.network(arguments.task)
    optimizer = torch.optim.Adam(net.parameters(), lr=common.LEARNING_RATE)
    net, optimizer, train_loader, test_loader = accelerator.prepare(
        net, optimizer, *common.loaders(arguments)
    )
    loss_fn = nn.CrossEntropyLoss()
    clock = common.Clock()
    for _ in range(arguments.epochs):
        net.train()
        total, hits = 0.0, 0
        for inputs, targets in tqdm(train_loader):
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = loss_fn(outputs, targets)
            accelerator.backward(loss)
            optimizer.step()
            total += loss.item()
            hits += (outputs.argmax(1) == targets).sum().item()
        net.eval()
        right = 0
        with torch.no_grad():
            for inputs, targets in test_loader:
                predictions, theirs = accelerator.gather_for_metrics((net(inputs).argmax(1), targets))
                right += (predictions == theirs).sum().item()
        clock.tick()
    clock.report()


if __name__ == "__main__":
    main()
