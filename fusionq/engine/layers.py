"""Layers that torch.nn lacks or names otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn


class Flatten(nn.Module):
    """Use it in front of a Linear layer: (N, *) becomes (N, product of the rest), of any dtype."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)


class Reshape(nn.Module):
    """Gives every sample another shape: (N, *) becomes (N, *output_shape), of any dtype."""

    def __init__(self, output_shape: int | Sequence[int]) -> None:
        super().__init__()
        self.output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)

    def forward(self, inputs: Tensor) -> Tensor:
        """Raises ValueError where a sample has another number of elements."""
        if inputs[0].numel() != math.prod(self.output_shape):
            raise ValueError(f"a sample of shape {tuple(inputs.shape[1:])} cannot become {self.output_shape}")
        return inputs.reshape(-1, *self.output_shape)


class GlobalAvgPool2d(nn.Module):
    """The mean of every feature map: (N, C, H, W) becomes (N, C)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.mean((2, 3))


class GlobalMaxPool2d(nn.Module):
    """The maximum of every feature map: (N, C, H, W) becomes (N, C)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.amax((2, 3))


def _depthwise(base: type[nn.Module], name: str, shape: str) -> type[nn.Module]:
    """A convolution of each channel by itself: groups = channels (https://arxiv.org/abs/1610.02357)."""

    def __init__(
        self: nn.Module,
        in_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        bias: bool = True,
    ) -> None:
        base.__init__(
            self,
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=in_channels,
            bias=bias,
        )

    doc = f"{base.__name__} of each channel by itself: {shape} keeps its number of channels."
    return type(name, (base,), {"__init__": __init__, "__doc__": doc, "__module__": __name__})


DepthwiseConv1d = _depthwise(nn.Conv1d, "DepthwiseConv1d", "(N, C, L)")
DepthwiseConv2d = _depthwise(nn.Conv2d, "DepthwiseConv2d", "(N, C, H, W)")
DepthwiseConv3d = _depthwise(nn.Conv3d, "DepthwiseConv3d", "(N, C, D, H, W)")
DepthwiseConvTranspose1d = _depthwise(nn.ConvTranspose1d, "DepthwiseConvTranspose1d", "(N, C, L)")
DepthwiseConvTranspose2d = _depthwise(nn.ConvTranspose2d, "DepthwiseConvTranspose2d", "(N, C, H, W)")
DepthwiseConvTranspose3d = _depthwise(nn.ConvTranspose3d, "DepthwiseConvTranspose3d", "(N, C, D, H, W)")
