"""The job file as a model: every key with its type, its default, its check and its sentence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fusionq.spec.units import Interval, parse_duration

Target = dict[str, Any]
"""A `_target_` block in canonical form (see `fusionq.spec.targets`)."""


def _interval(value: str) -> str:
    Interval.parse(value)
    return value


DurationS = Annotated[float, BeforeValidator(parse_duration)]
PositiveDurationS = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
IntervalText = Annotated[str, AfterValidator(_interval)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+:/@=-]*$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataSection(Section):
    train: Target = Field(description="The data set to train on.")
    test: Target | None = Field(None, description="The data set to measure on after every epoch.")
    transform: list[Target] = Field(default=[], description="Transforms of each sample, in order.")
    offline: Literal["digits"] | None = Field(
        None, description="What to train on when the data is neither on disk nor to be downloaded."
    )
    batch_size: int = Field(64, ge=1, description="Samples in a batch.")
    num_workers: int = Field(
        0, ge=0, description="Processes that load data, for data that is not held on the device."
    )


class MetricsSection(Section):
    train: list[Target] = Field(default=[], description="Metrics over the training batches.")
    test: list[Target] = Field(default=[], description="Metrics over the test data, after every epoch.")


class TrainSection(Section):
    epochs: int = Field(10, ge=1, description="How many times to go over the training data.")
    seed: int = Field(0, ge=0, lt=2**63, description="Decides initial weights, order and augmentation.")
    deterministic: bool = Field(
        False, description="Use only deterministic kernels; needed for bit-identical results on a GPU."
    )


class CheckpointSection(Section):
    save_models: Literal["all", "best"] = Field(
        "best", description="Keep the weights of every epoch, or only of the best one."
    )
    monitor: str | None = Field(
        None,
        description="What decides which epoch is best, such as test_accuracy; default: the first metric.",
    )
    mode: Literal["min", "max"] | None = Field(
        None,
        description="Whether a smaller or a larger value of `monitor` is better; default: the metric knows.",
    )
    every: IntervalText = Field("1ep", description="How often to save the full state: 1ep, 500ba or 10m.")
    keep: int = Field(2, ge=2, description="How many checkpoints to keep.")
    resume: Literal["auto", "never"] = Field(
        "auto", description="Go on from the last checkpoint when the job is started again, or begin anew."
    )


class ResourcesSection(Section):
    gpus: Literal["auto", 0, 1] = Field("auto", description="auto: one GPU where there is one, else the CPU.")
    cpus: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto", description="Threads to compute with; auto: the worker's cores divided by its slots."
    )


class RetrySection(Section):
    max: int = Field(2, ge=0, le=100, description="How many lost attempts are started again.")
    backoff: DurationS = Field(0.0, description="How long to wait before each, such as 30s.")


class JobSpec(Section):
    """One training job, as its file says it."""

    name: Name | None = Field(None, description="What people call the job; default: the name of its file.")
    task: Literal["train"] = Field("train", description="What to do with the model.")
    trainer: Target = Field(
        default={"_target_": "fusionq.StandardModel"},
        description="The trainer: StandardModel, or your own BaseModel by its import path.",
    )
    model: Target = Field(description="The network, as a tree of _target_ blocks.")
    data: DataSection
    loss: Target = Field(description="The loss function.")
    optimizer: Target = Field(description="The optimizer; its parameters are the model's.")
    lr_scheduler: Target | None = Field(None, description="Changes the learning rate, once per epoch.")
    metrics: MetricsSection = MetricsSection()
    train: TrainSection = TrainSection()
    checkpoint: CheckpointSection = CheckpointSection()
    resources: ResourcesSection = ResourcesSection()
    queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = Field(
        "default", description="The queue to wait in; workers serve one or more of them."
    )
    priority: int = Field(
        0, ge=-1000, le=1000, description="Higher goes first; first come first served within one."
    )
    retry: RetrySection = RetrySection()
    timeout: PositiveDurationS | None = Field(
        None, description="The longest that an attempt may run, such as 2h30m."
    )
    grace: DurationS = Field(
        30.0, description="How long a job may take to save its state when it is stopped."
    )
    tags: list[Name] = Field(default=[], description="Words to find the job by.")
    env: dict[str, str] = Field(default={}, description="Environment variables of the job's process.")

    @model_validator(mode="after")
    def _metrics_need_test_data(self) -> JobSpec:
        if self.metrics.test and self.data.test is None:
            raise ValueError("metrics.test needs data.test")
        return self

    def to_data(self) -> dict[str, Any]:
        """Plain data that loads again to an equal spec."""
        return self.model_dump(exclude_none=True)  # mode="json" would turn an infinite number into null
