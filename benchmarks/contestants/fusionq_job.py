"""(a) fusionq through a job file, with checkpoints, model files and logs, as a worker runs it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.contestants import common
from fusionq.engine.job import Job, run_job
from fusionq.engine.stopping import StopToken
from fusionq.spec.events import EpochEnd, Event
from fusionq.spec.load import from_yaml
from fusionq.spec.paths import RunPaths

MODELS = {
    "mlp": """
  _target_: Sequential
  _args_:
    - Flatten
    - {_target_: Linear, in_features: 784, out_features: 100}
    - ReLU
    - {_target_: Linear, in_features: 100, out_features: 100}
    - ReLU
    - {_target_: Linear, in_features: 100, out_features: 100}
    - ReLU
    - {_target_: Linear, in_features: 100, out_features: 10}
""",
    "cnn": """
  _target_: Sequential
  _args_:
    - {_target_: Conv2d, in_channels: 1, out_channels: 16, kernel_size: 5, padding: 2}
    - ReLU
    - {_target_: MaxPool2d, kernel_size: 2}
    - {_target_: Conv2d, in_channels: 16, out_channels: 32, kernel_size: 5, padding: 2}
    - ReLU
    - {_target_: MaxPool2d, kernel_size: 2}
    - Flatten
    - {_target_: Linear, in_features: 1568, out_features: 10}
""",
    "resnet18": " {_target_: resnet18, num_classes: 10}\n",
}
MNIST_DATA = """
  train: {_target_: MNIST, root: ROOT, train: true}
  test: {_target_: MNIST, root: ROOT, train: false}
  transform: [{_target_: ToTensor}, {_target_: Normalize, mean: [0.5], std: [0.5]}]
"""
SYNTHETIC_DATA = """
  train: {_target_: benchmarks.contestants.fusionq_job.synthetic_set, number: TRAIN}
  test: {_target_: benchmarks.contestants.fusionq_job.synthetic_set, number: TEST}
"""
REST = """
loss: {_target_: CrossEntropyLoss}
optimizer: {_target_: Adam, lr: 1e-3}
metrics: {train: [{_target_: Accuracy}], test: [{_target_: Accuracy}]}
"""


def synthetic_set(number: int):
    from torch.utils.data import TensorDataset

    return TensorDataset(*common.synthetic(number))


def job_text(arguments) -> str:
    model = (
        MODELS[arguments.task]
        .replace("- Flatten", "- {_target_: Flatten}")
        .replace("- ReLU", "- {_target_: ReLU}")
    )
    data = MNIST_DATA if arguments.task != "resnet18" else SYNTHETIC_DATA
    data = data.replace("ROOT", str(arguments.data)).replace("TRAIN", str(common.SYNTHETIC_IMAGES))
    data = data.replace("TEST", str(common.SYNTHETIC_IMAGES // 4))
    return f"model:{model}data:{data}{REST}train: {{epochs: {arguments.epochs}}}\n"


def main() -> None:
    arguments = common.arguments()
    clock = common.Clock()

    def report(event: Event) -> None:
        if isinstance(event, EpochEnd):
            clock.tick()

    with tempfile.TemporaryDirectory() as folder:
        job = Job(from_yaml(job_text(arguments)), RunPaths(Path(folder)), 1, Path.cwd())
        run_job(job, report, StopToken())
    clock.report()


if __name__ == "__main__":
    main()
