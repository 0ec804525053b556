"""(d) The best bare loop that we can write: resident tensors, fused Adam, no wait for the device."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.datasets import MNIST

from benchmarks.contestants import common


def resident(arguments, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    if arguments.task == "resnet18":
        return common.synthetic(common.SYNTHETIC_IMAGES if train else common.SYNTHETIC_IMAGES // 4)
    data = MNIST(str(arguments.data), train=train)
    return (data.data.unsqueeze(1).float().div_(255) - 0.5) / 0.5, data.targets


def main() -> None:
    arguments = common.arguments()
    images, targets = resident(arguments, True)
    test_images, test_targets = resident(arguments, False)
    net = common.network(arguments.task)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=common.LEARNING_RATE, fused=True)
    clock = common.Clock()
    for _ in range(arguments.epochs):
        net.train()
        total, hits = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for index in torch.randperm(len(images)).split(common.BATCH_SIZE):
            inputs, labels = images.index_select(0, index), targets.index_select(0, index)
            outputs = net(inputs)
            loss = loss_fn(outputs, labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(index)
            hits += (outputs.detach().argmax(1) == labels).sum()
        net.eval()
        with torch.no_grad():
            correct = sum(
                (net(some).argmax(1) == theirs).sum()
                for some, theirs in zip(test_images.split(1000), test_targets.split(1000), strict=True)
            )
        print(total.item() / len(images), hits.item() / len(images), correct.item() / len(test_images))
        clock.tick()
    clock.report(batches=-(-len(images) // common.BATCH_SIZE))


if __name__ == "__main__":
    main()
