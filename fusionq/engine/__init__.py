"""The training engine: trainers, metrics, layers and data. It knows neither Redis nor a terminal."""

from fusionq.engine.base_model import BaseModel
from fusionq.engine.data.digits import Digits
from fusionq.engine.layers import Flatten
from fusionq.engine.metrics import MSE, Accuracy, Metric
from fusionq.engine.standard_model import StandardModel

__all__ = ["MSE", "Accuracy", "BaseModel", "Digits", "Flatten", "Metric", "StandardModel"]
