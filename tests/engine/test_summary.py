"""A summary shows the network and leaves it as it was."""

from __future__ import annotations

import torch
from torch import nn

import fusionq as tf


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Dropout(),
        nn.ReLU(),
        tf.Flatten(),
        nn.Linear(256, 10),
    )


def test_a_summary_counts_layers_parameters_and_multiply_adds() -> None:
    net = convolutional()
    net[5].bias.requires_grad = False
    summary = tf.StandardModel(net).summary((1, 8, 8))
    assert [row.name for row in summary.rows] == [
        "Conv2d_1",
        "BatchNorm2d_1",
        "Dropout_1",
        "ReLU_1",
        "Flatten_1",
        "Linear_1",
    ]
    convolution, *_, linear = summary.rows
    assert convolution.input_shape == (1, 1, 8, 8)
    assert convolution.output_shape == (1, 4, 8, 8)
    assert convolution.parameters == 4 * 9 + 4
    assert convolution.multiply_adds == 4 * 9 * 64
    assert linear.multiply_adds == 2560
    assert summary.parameters == 40 + 8 + 2570
    assert summary.trainable == 40 + 8 + 2560
    assert "parameters 2,618, trainable 2,608" in str(summary)
    assert len({len(line) for line in str(summary).splitlines()[1:2]}) == 1


def test_a_summary_changes_nothing() -> None:
    net = convolutional()
    net[1].eval()  # a layer that is frozen within a model that trains
    trainer = tf.StandardModel(net)
    modes = [module.training for module in net.modules()]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    numbers = torch.get_rng_state()
    trainer.summary((1, 8, 8))
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), numbers)
    assert not any(module._forward_hooks for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_summary_that_fails_leaves_no_trace() -> None:
    net = convolutional()
    trainer = tf.StandardModel(net)
    try:
        trainer.summary((1, 9, 9))
    except RuntimeError:
        pass
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())


def test_layers_with_several_inputs_have_a_summary() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 3, batch_first=True)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.lstm(inputs)[0]

    (row,) = tf.StandardModel(Pair()).summary((5, 4)).rows
    assert row.output_shape == (1, 5, 3)
