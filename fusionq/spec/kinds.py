"""What a target makes, and what each place of a job file takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`words` are for a message; `usual` is the name that everybody knows."""

    words: str
    usual: str


KINDS = {
    "trainer": Kind("a trainer", "StandardModel"),
    "model": Kind("a model", "Sequential"),
    "layer": Kind("a layer", "Linear"),
    "dataset": Kind("a data set", "MNIST"),
    "sampler": Kind("a sampler", "WeightedRandomSampler"),
    "transform": Kind("a transform", "ToTensor"),
    "loss": Kind("a loss", "CrossEntropyLoss"),
    "optimizer": Kind("an optimizer", "Adam"),
    "lr_scheduler": Kind("a learning-rate scheduler", "StepLR"),
    "metric": Kind("a metric", "Accuracy"),
    "callback": Kind("a callback", "CsvLog"),
}
UNKNOWN = ""
"""The kind of what the catalog cannot tell; it may stand anywhere."""


@dataclass(frozen=True)
class TargetPlace:
    """A place of a block: what it needs, and where a short name is looked up.

    `others` are kinds that serve as well. `supplied` is how many arguments fusionq puts first, such as the
    parameters of the model. `supplied_to_all` is the name of one that it also gives to those blocks among the
    arguments that take it. `supplied_by_name` are names for one value: the outermost block gets it by the
    first of them that it takes, if any.
    """

    kind: str
    modules: tuple[str, ...]
    others: tuple[str, ...] = ()
    supplied: int = 0
    supplied_to_all: str = ""
    supplied_by_name: tuple[str, ...] = ()

    @property
    def usual(self) -> str:
        return KINDS[self.kind].usual

    def takes(self, kind: str) -> bool:
        return kind in (UNKNOWN, self.kind, *self.others)


DATA_OF_SAMPLER = ("data_source", "dataset")
"""What samplers call the data set that they choose from."""

_DATASET = TargetPlace("dataset", ("torchvision.datasets", "fusionq", "torch.utils.data"))
# What maps an image to an image may be a layer, too.
_TRANSFORM = TargetPlace("transform", ("torchvision.transforms.v2",), others=("layer", "model"))
_METRIC = TargetPlace("metric", ("fusionq",))

# By the path of the block in the job file; `*` is any list item.
TARGET_PLACES: dict[tuple[str, ...], TargetPlace] = {
    ("trainer",): TargetPlace("trainer", ("fusionq",), supplied=1),
    ("model",): TargetPlace("model", ("torch.nn", "fusionq", "torchvision.models"), others=("layer",)),
    ("data", "train"): _DATASET,
    ("data", "val"): _DATASET,
    ("data", "test"): _DATASET,
    ("data", "sampler"): TargetPlace("sampler", ("torch.utils.data",), supplied_by_name=DATA_OF_SAMPLER),
    ("data", "augment", "*"): _TRANSFORM,
    ("data", "transform", "*"): _TRANSFORM,
    ("loss",): TargetPlace("loss", ("torch.nn",)),
    ("optimizer",): TargetPlace("optimizer", ("torch.optim",), supplied=1),
    ("lr_scheduler",): TargetPlace(
        "lr_scheduler", ("torch.optim.lr_scheduler",), supplied=1, supplied_to_all="optimizer"
    ),
    ("metrics", "train", "*"): _METRIC,
    ("metrics", "val", "*"): _METRIC,
    ("metrics", "test", "*"): _METRIC,
    ("callbacks", "*"): TargetPlace("callback", ("fusionq",)),
}
