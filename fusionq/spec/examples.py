"""A value for each key of the job file whose default shows nothing, by the dotted path of the key."""

from __future__ import annotations

from typing import Any

_TRAIN = {"_target_": "MNIST", "root": "data", "train": True, "download": True}
_TEST = {"_target_": "MNIST", "root": "data", "train": False, "download": True}
_LINEAR = {"_target_": "Linear", "in_features": 784, "out_features": 10}
_ACCURACY = [{"_target_": "Accuracy"}]

EXAMPLES: dict[str, Any] = {
    "defaults": "base.yaml",
    "name": "my-job",
    "model": {"_target_": "Sequential", "_args_": [{"_target_": "fusionq.Flatten"}, _LINEAR]},
    "data.train": _TRAIN,
    "data.val": _TEST,
    "data.val_fraction": 0.1,
    "data.test": _TEST,
    "data.transform": [{"_target_": "ToTensor"}],
    "data.augment": [{"_target_": "RandomHorizontalFlip"}],
    "data.offline": "digits",
    "data.shuffle": True,
    "data.sampler": {"_target_": "my_data.Balanced"},
    "data.collate_fn": "my_data.collate",
    "loss": "CrossEntropyLoss",
    "optimizer": {"_target_": "Adam", "lr": 0.001},
    "lr_scheduler": {"_target_": "StepLR", "step_size": 10},
    "metrics.train": _ACCURACY,
    "metrics.val": _ACCURACY,
    "metrics.test": _ACCURACY,
    "train.clip_grad_norm": 1.0,
    "train.steps_per_epoch": 500,
    "train.warmup": "500ba",
    "train.ema": 0.999,
    "train.early_stopping": 5,
    "checkpoint.monitor": "test_accuracy",
    "checkpoint.mode": "max",
    "callbacks": [{"_target_": "CsvLog"}],
    "export": ["safetensors"],
    "resources.gpu_memory": "20GB",
    "resources.gpu_type": ["A100", "H100"],
    "resources.memory": "32GB",
    "resources.labels": {"site": "berlin"},
    "retry.on.*.max": 5,
    "retry.on.*.backoff": "1m",
    "timeout": "2h30m",
    "output_limit": "200MB",
    "wait_timeout": "12h",
    "not_before": "22:00",
    "after": ["last"],
    "after.jobs": ["last"],
    "code.exclude": ["*.bin"],
    "sweep.method": "random",
    "sweep.params": {"optimizer.lr": {"loguniform": [0.0001, 0.1]}, "train.seed": [1, 2, 3]},
    "sweep.params.*.choice": [16, 32, 64],
    "sweep.params.*.uniform": [0.0, 0.5],
    "sweep.params.*.loguniform": [0.0001, 0.1],
    "sweep.params.*.int": [1, 8],
    "sweep.trials": 20,
    "sweep.max_parallel": 2,
    "notify": [{"on": ["failed"], "url": "env:SLACK_URL"}],
    "notify.*.url": "env:SLACK_URL",
    "tags": ["demo"],
    "env": {"OMP_NUM_THREADS": "4"},
}
