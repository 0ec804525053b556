"""(c) The guide's recipe as a bare loop of 2018: PIL transforms, values read and copied for every batch."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Adam

from benchmarks.contestants import common


def main() -> None:
    arguments = common.arguments()
    train_loader, test_loader = common.loaders(arguments)
    net = common.network(arguments.task)
    optimizer = Adam(net.parameters(), lr=common.LEARNING_RATE)
    loss_fn = nn.CrossEntropyLoss()
    clock = common.Clock()
    for _ in range(arguments.epochs):
        net.train()
        running_loss, correct, seen = 0.0, 0.0, 0
        for inputs, targets in train_loader:
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = loss_fn(outputs, targets)
            loss.backward()
            optimizer.step()
            seen += len(inputs)
            running_loss += (loss.cpu() * len(inputs)).item()
            correct += (outputs.cpu().data.topk(1, 1)[1].squeeze(1) == targets.cpu().data).sum().item()
            _ = f"{running_loss / seen} {correct / seen}"
        net.eval()
        right = 0.0
        with torch.no_grad():
            for inputs, targets in test_loader:
                best = net(inputs).cpu().data.topk(1, 1)[1]
                right += (best == targets.cpu().data[:, None]).sum().item()
        clock.tick()
    clock.report()


if __name__ == "__main__":
    main()
