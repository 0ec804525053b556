"""Layers that torch.nn lacks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import fusionq as tf


def test_flatten_keeps_the_samples_apart() -> None:
    inputs = torch.arange(24).reshape(2, 3, 4)
    assert torch.equal(tf.Flatten()(inputs), inputs.reshape(2, 12))
    assert tf.Flatten()(torch.zeros(5, 7)).shape == (5, 7)


@pytest.mark.parametrize(("shape", "result"), [((2, 6), (3, 2, 6)), ([3, 4], (3, 3, 4)), (12, (3, 12))])
def test_reshape_gives_every_sample_its_shape(shape: object, result: tuple[int, ...]) -> None:
    assert tf.Reshape(shape)(torch.zeros(3, 12)).shape == result


def test_a_sample_that_cannot_take_the_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a sample of shape \(12,\) cannot become \(5, 5\)"):
        tf.Reshape((5, 5))(torch.zeros(25, 12))  # as a whole it would fit


def test_global_pools_leave_one_number_for_a_map() -> None:
    inputs = torch.rand(2, 3, 4, 5)
    assert torch.allclose(tf.GlobalAvgPool2d()(inputs), nn.AdaptiveAvgPool2d(1)(inputs).flatten(1))
    assert torch.equal(tf.GlobalMaxPool2d()(inputs), nn.AdaptiveMaxPool2d(1)(inputs).flatten(1))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_depthwise_convolution_keeps_the_channels_apart(dims: int, transpose: bool) -> None:
    kind = "ConvTranspose" if transpose else "Conv"
    layer = getattr(tf, f"Depthwise{kind}{dims}d")(4, 3, stride=2, padding=1, bias=False)
    assert isinstance(layer, getattr(nn, f"{kind}{dims}d"))
    inputs = torch.zeros(1, 4, *[7] * dims)
    inputs[0, 2] = torch.rand(inputs[0, 2].shape)
    outputs = layer(inputs)
    assert outputs.shape[1] == 4
    assert [channel.abs().sum().item() > 0 for channel in outputs[0]] == [False, False, True, False]
    assert layer.weight.numel() == 4 * 3**dims
    assert type(layer).__name__ == f"Depthwise{kind}{dims}d"


def test_layers_can_be_saved_with_a_model_and_made_in_a_job() -> None:
    import pickle

    for layer in (tf.Flatten(), tf.Reshape((2, 2)), tf.DepthwiseConv2d(3, 3)):
        assert type(pickle.loads(pickle.dumps(layer))) is type(layer)
