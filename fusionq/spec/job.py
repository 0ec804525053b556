"""The job file as a model: every key with its type, its default, its check and its sentence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fusionq.spec.after import After
from fusionq.spec.job_name import MOST_LETTERS, check_name
from fusionq.spec.notify import NotifySection
from fusionq.spec.output_log import DEFAULT_OUTPUT_LIMIT, LEAST_OUTPUT_LIMIT
from fusionq.spec.record import MOST_PRIORITY
from fusionq.spec.section import BY_FORM, IS_BLOCK, IS_OTHER, Section
from fusionq.spec.sweep import SweepSection
from fusionq.spec.targets import FROM
from fusionq.spec.text_values import AS_LIST, AS_TEXT, Text
from fusionq.spec.times import check_time
from fusionq.spec.units import Interval, parse_bytes, parse_duration
from fusionq.spec.variables import check_value

Target = dict[str, Any]
"""A `_target_` block in canonical form (see `fusionq.spec.targets`)."""


def _interval(value: str) -> str:
    Interval.parse(value)
    return value


DurationS = Annotated[float, BeforeValidator(parse_duration)]
PositiveFloat = Annotated[float, Field(gt=0)]
PositiveDurationS = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
SizeBytes = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0)]
IntervalText = Annotated[str, AfterValidator(_interval)]
TimeText = Annotated[str, AfterValidator(check_time)]
EnvText = Annotated[str, AS_TEXT, AfterValidator(check_value)]
NonEmpty = Annotated[str, AS_TEXT, Field(min_length=1, max_length=100)]
Name = Annotated[str, AS_TEXT, Field(min_length=1, max_length=MOST_LETTERS), AfterValidator(check_name)]

MOST_GPUS = 64
MOST_PROCESSES = 64
MOST_NODES = 64

Task = Literal["train", "evaluate", "predict"]
Precision = Literal["fp32", "bf16", "fp16"]
FailureClass = Literal[
    "worker_lost",
    "crash",
    "oom",
    "error",
    "data_error",
    "import_error",
    "non_finite_loss",
    "disk_full",
]
ExportFormat = Literal["safetensors", "torch_export", "onnx"]


class DataSection(Section):
    """What to train, validate and test on, and what is done to a sample first."""

    train: Target | None = Field(None, description="The data set to train on.")
    val: Target | None = Field(None, description="The data set that decides which epoch is the best.")
    val_fraction: float | None = Field(
        None, gt=0, lt=1, description="Instead of data.val: a share of the training data, drawn by the seed."
    )
    test: Target | None = Field(
        None, description="The data set to measure on after every epoch, or to predict."
    )
    transform: list[Target] = Field(default=[], description="Transforms of each sample, in order.")
    augment: list[Target] = Field(
        default=[], description="Random transforms of training samples alone, before `transform`."
    )
    offline: Literal["digits"] | None = Field(
        None, description="What to train on when the data is neither on disk nor to be downloaded."
    )
    batch_size: int = Field(64, ge=1, description="Samples in a batch.")
    shuffle: bool | None = Field(
        None,
        description="Train on the samples in another order in every epoch; default: true, but for a stream.",
    )
    sampler: Target | None = Field(
        None, description="Chooses the training samples of an epoch and their order, instead of `shuffle`."
    )
    drop_last: bool = Field(
        False, description="Leave out a last training batch of fewer samples than `batch_size`."
    )
    collate_fn: str | None = Field(
        None, description="The import path of a function that makes a batch of samples, for data of your own."
    )
    num_workers: int = Field(
        0, ge=0, description="Processes that load data, for data that is not held on the device."
    )


class MetricsSection(Section):
    """What to measure."""

    train: list[Target] = Field(default=[], description="Metrics over the training batches.")
    val: list[Target] | None = Field(
        None, description="Metrics over the validation data; default: those of test."
    )
    test: list[Target] = Field(default=[], description="Metrics over the test data, after every epoch.")


class TrainSection(Section):
    """How to train."""

    epochs: int = Field(10, ge=1, description="How many times to go over the training data.")
    steps_per_epoch: int | None = Field(
        None,
        ge=1,
        description="Batches in an epoch, fewer or more than the data has: epochs go on through it.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Decides initial weights, order and augmentation.")
    precision: Precision = Field("fp32", description="Numbers to compute in; weights stay fp32.")
    gradient_accumulation_steps: int = Field(1, ge=1, description="Batches whose gradients make one step.")
    clip_grad_norm: PositiveFloat | None = Field(None, description="Scale gradients down to this norm.")
    warmup: IntervalText | None = Field(
        None, description="Raise the learning rate linearly over the first steps, such as 500ba or 1ep."
    )
    lr_interval: Literal["epoch", "step"] = Field("epoch", description="When lr_scheduler steps.")
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Test and keep an average of the weights with this decay, such as 0.999.",
    )
    early_stopping: int | None = Field(
        None, ge=1, description="End after this many epochs without a better monitored value."
    )
    compile: bool = Field(False, description="Compile the model with torch.compile.")
    channels_last: bool = Field(False, description="Keep images in the layout that convolutions like best.")
    sync_batch_norm: bool = Field(
        False, description="Batch norm over all GPUs of a job, not over the part of each."
    )
    deterministic: bool = Field(
        False, description="Use only deterministic kernels; needed for bit-identical results on a GPU."
    )


class CheckpointSection(Section):
    """What to keep, and how often."""

    save_models: Literal["all", "best"] = Field(
        "best", description="Keep the weights of every epoch, or only of the best one."
    )
    monitor: str | None = Field(
        None,
        description="What decides which epoch is best, such as test_accuracy; default: the first metric "
        "on validation data, else on test data, else of training; without metrics the loss.",
    )
    mode: Literal["min", "max"] | None = Field(
        None,
        description="Whether a smaller or a larger value of `monitor` is better; default: the metric knows.",
    )
    every: IntervalText = Field("1ep", description="How often to save the full state: 1ep, 500ba or 10m.")
    keep: int = Field(2, ge=2, description="How many checkpoints to keep.")
    keep_best: int = Field(1, ge=1, description="How many of the best models to keep.")
    resume: Literal["auto", "never"] = Field(
        "auto", description="Go on from the last checkpoint when the job is started again, or begin anew."
    )


class ResourcesSection(Section):
    """What the job needs of a worker."""

    gpus: Literal["auto"] | Annotated[int, Field(ge=0, le=MOST_GPUS)] = Field(
        "auto", description="GPUs of one worker; auto is one GPU where there is one, else the CPU."
    )
    gpu_memory: SizeBytes | None = Field(
        None, description="How much of one GPU it takes, such as 20GB, beside others; none: all of it."
    )
    processes: Literal["auto"] | Annotated[int, Field(ge=1, le=MOST_PROCESSES)] = Field(
        "auto",
        description="Processes that train together, each on its part of every batch; auto: one per GPU. "
        "More than one without gpus runs on the CPU.",
    )
    gpu_type: Annotated[list[NonEmpty], AS_LIST] = Field(
        default=[], description="Any of these kinds of GPU, by a part of their names, such as A100 or H100."
    )
    nodes: int = Field(
        1,
        ge=1,
        le=MOST_NODES,
        description="Workers that train together, each with the GPUs and processes that stand here.",
    )
    cpus: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="Cores that it has to itself, and threads to compute with; auto: the worker's cores "
        "divided by its slots.",
    )
    memory: SizeBytes | None = Field(
        None, description="Memory of the host that it has to itself, such as 32GB; it is stopped beyond it."
    )
    labels: dict[NonEmpty, Text] = Field(
        default={}, description="Labels that its worker must have, such as site: berlin."
    )

    def gpus_to_get(self) -> int | Literal["auto"]:
        """What to ask a worker for: several processes are on the CPU unless they ask for GPUs."""
        if self.gpus == "auto" and self.processes not in ("auto", 1):
            return 0
        return 1 if self.gpus == "auto" and self.gpu_type else self.gpus

    def num_processes(self, num_gpus: int) -> int:
        """How many processes train on each node, with so many GPUs."""
        return max(1, num_gpus) if self.processes == "auto" else self.processes


class RetryPolicy(Section):
    """How a class of failures is tried again."""

    max: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="How many attempts that failed so are started again; default: retry.max."
    )
    backoff: DurationS | None = Field(
        None, description="How long to wait before the first; default: retry.backoff."
    )


class RetrySection(Section):
    """What follows when an attempt fails."""

    max: int = Field(2, ge=0, le=100, description="How many attempts that failed are started again.")
    backoff: DurationS = Field(
        0.0, description="How long to wait before the first, such as 30s; then twice as long each time."
    )
    on: Annotated[
        Annotated[dict[FailureClass, RetryPolicy], IS_BLOCK]
        | Annotated[list[FailureClass], AS_LIST, IS_OTHER],
        BY_FORM,
    ] = Field(
        default=["worker_lost", "crash", "oom"],
        description="Which failures are tried again, counted together; a block gives each its own count "
        "and rule.",
    )


class CodeSection(Section):
    path: str = Field(
        ".", min_length=1, description="The folder of your own modules, seen from where you submit."
    )
    exclude: Annotated[list[Text], AS_LIST] = Field(
        default=[], description="Patterns of files to leave out, such as '*.bin'."
    )


NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "train": (("data", "train"),),
    "evaluate": (("model", FROM), ("data", "test"), ("metrics", "test")),
    "predict": (("model", FROM), ("data", "test")),
}
"""The keys that each task needs, beside those that every job needs."""

NEEDED_BY_STANDARD_MODEL: tuple[tuple[str, ...], ...] = (("loss",), ("optimizer",))
"""What training needs as well unless the trainer is the user's own."""


class JobSpec(Section):
    """One training job, as its file says it."""

    name: Name | None = Field(None, description="What people call the job; default: the name of its file.")
    task: Task = Field("train", description="What to do with the model: train, evaluate or predict.")
    trainer: Target = Field(
        default={"_target_": "fusionq.StandardModel"},
        description="The trainer: StandardModel, or your own BaseModel by its import path.",
    )
    model: Target = Field(
        description="The network, a tree of _target_ blocks; `from`: a job or file to take weights from, "
        "`prefix`, `ignore` and `strict`: which of them."
    )
    data: DataSection
    loss: Target | None = Field(None, description="The loss function; a trainer of your own may do without.")
    optimizer: Target | None = Field(
        None,
        description="The optimizer; its parameters are the model's. A trainer of your own may do without.",
    )
    lr_scheduler: Target | None = Field(None, description="Changes the learning rate.")
    metrics: MetricsSection = MetricsSection()
    train: TrainSection = TrainSection()
    checkpoint: CheckpointSection = CheckpointSection()
    callbacks: list[Target] = Field(
        default=[],
        description="CsvLog, TensorBoard, ModelSummary, or your own fusionq.Callback by its import path.",
    )
    export: Annotated[list[ExportFormat], AS_LIST] = Field(
        default=[], description="Forms to write the best model in, at the end."
    )
    resources: ResourcesSection = ResourcesSection()
    queue: Annotated[str, AS_TEXT, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = Field(
        "default", description="The queue to wait in; workers serve one or more of them."
    )
    priority: int = Field(
        0,
        ge=-MOST_PRIORITY,
        le=MOST_PRIORITY,
        description="Higher goes first; first come first served within one.",
    )
    retry: RetrySection = RetrySection()
    timeout: PositiveDurationS | None = Field(
        None, description="The longest that an attempt may run, such as 2h30m."
    )
    grace: DurationS = Field(
        30.0, description="How long a job may take to save its state when it is stopped."
    )
    output_limit: Annotated[SizeBytes, Field(ge=LEAST_OUTPUT_LIMIT)] = Field(
        DEFAULT_OUTPUT_LIMIT,
        description="How large output.log may grow, such as 200MB; beyond it, the middle is cut out.",
    )
    wait_timeout: PositiveDurationS | None = Field(
        None, description="The longest that it may wait for a worker, such as 12h."
    )
    not_before: TimeText | None = Field(
        None, description="When it may start at the earliest: 22:00, 2026-12-01 22:00 or +2h."
    )
    after: After = Field(
        default=[],
        description="Jobs (ids, names or last) that must succeed before this one starts; a block says more.",
    )
    unique: bool = Field(
        False, description="Where the same job is queued or runs, be that one instead of a second."
    )
    hold: bool = Field(False, description="Keep it from running until somebody lets it go: fusionq release.")
    code: Annotated[Annotated[CodeSection, IS_BLOCK] | Annotated[Literal["none"], IS_OTHER], BY_FORM] = Field(
        default=CodeSection(),
        description="What of your own code is stored with the job and runs with it; none: the files as they "
        "are when it runs.",
    )
    sweep: SweepSection | None = Field(None, description="Many jobs out of this one: trials.")
    notify: list[NotifySection] = Field(
        default=[], description="Who is told when it starts or ends; of a sweep, when all of it ended."
    )
    tags: Annotated[list[Name], AS_LIST] = Field(default=[], description="Words to find the job by.")
    env: dict[str, EnvText] = Field(
        default={},
        description="Environment variables of the job's process; env:NAME is a variable of the worker's own.",
    )

    def to_data(self) -> dict[str, Any]:
        """Plain data that loads again to an equal spec."""
        return self.model_dump(exclude_none=True)  # mode="json" would turn an infinite number into null
