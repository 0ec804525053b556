"""The training engine: trainers, metrics, layers and data. It knows neither Redis nor a terminal."""

from fusionq.engine.base_model import BaseModel
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.model_summary import ModelSummary
from fusionq.engine.callbacks.tables import CsvLog
from fusionq.engine.callbacks.tensorboard import TensorBoard
from fusionq.engine.data.digits import Digits
from fusionq.engine.layers import (
    DepthwiseConv1d,
    DepthwiseConv2d,
    DepthwiseConv3d,
    DepthwiseConvTranspose1d,
    DepthwiseConvTranspose2d,
    DepthwiseConvTranspose3d,
    Flatten,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    Reshape,
)
from fusionq.engine.metrics import MSE, Accuracy, Metric
from fusionq.engine.standard_model import StandardModel
from fusionq.engine.stepping import StepOptions

__all__ = [
    "MSE",
    "Accuracy",
    "BaseModel",
    "Callback",
    "CsvLog",
    "DepthwiseConv1d",
    "DepthwiseConv2d",
    "DepthwiseConv3d",
    "DepthwiseConvTranspose1d",
    "DepthwiseConvTranspose2d",
    "DepthwiseConvTranspose3d",
    "Digits",
    "Flatten",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "Metric",
    "ModelSummary",
    "Reshape",
    "StandardModel",
    "StepOptions",
    "TensorBoard",
]
