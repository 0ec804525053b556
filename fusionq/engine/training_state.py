"""The state of a training: what a checkpoint holds, and how a training takes it up again."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.data.batches import layers_of
from fusionq.engine.evaluation import stateful
from fusionq.engine.history import History
from fusionq.engine.randomness import random_state, restore_random_state
from fusionq.engine.ranks import NOTHING_OWNED, Owned
from fusionq.engine.state.kinds import has_state_dict
from fusionq.engine.state.own_state import MODEL, TRAINER, OwnState
from fusionq.errors import CheckpointError
from fusionq.spec.metric_keys import TRAIN
from fusionq.spec.printable import one_line, text_of

if TYPE_CHECKING:
    from fusionq.engine.training import Training

State = dict[str, Any]


class TrainingState:
    """Reads and puts back the state of `training`; `callbacks` are those that may have one of their own."""

    def __init__(self, training: Training, callbacks: Sequence[Callback]) -> None:
        self._training = training
        self._own_state = self._find_own_state(callbacks)
        self._owned = NOTHING_OWNED
        self._has_begun = False

    def begin(self) -> None:
        """Note what is there before training begins, in the mode for it. The first call counts."""
        if not self._has_begun:
            self._has_begun = True
            self._training.trainer.model.train()
            self._own_state.begin()

    def find_owned(self) -> Owned:
        """Returns what the trainer has beside its model and optimizer, as training begins."""
        self._owned = Owned(self._own_state.modules(), self._own_state.optimizers())
        return self._owned

    def _find_own_state(self, callbacks: Sequence[Callback]) -> OwnState:
        """Finds what user code keeps, apart from what is saved with the parts that are ours."""
        training = self._training
        trainer, metrics = training.trainer, dict(training.train_metrics)
        for test in training.tests:
            metrics |= test.metrics
        has_state = stateful(metrics)
        own_callbacks = [c for c in callbacks if not type(c).__module__.startswith("fusionq.")]
        return OwnState(
            trainer.model,
            {
                TRAINER: trainer,
                "loss": training.loss_fn,
                **{f"metrics {key}": value for key, value in metrics.items() if key not in has_state},
                **{f"callback {type(c).__name__} {i}": c for i, c in enumerate(own_callbacks)},
                **self._data_with_own_place(),
            },
            {
                "training": training,
                "optimizer": training.optimizer,
                "lr_scheduler": training.lr_scheduler,
                "train_batches": training.train_batches,
                **{f"metric {key}": metric for key, metric in has_state.items()},
            },
            trainer.device,
            average=training.stepper.average.module if training.stepper.average is not None else None,
            skipped=frozenset({"model", "stepper", "device", "cuda", "_run_dir"}),
            warn=None if has_state_dict(trainer) else training.stepper.warn,
        )

    def _data(self) -> State:
        """The batches of each phase."""
        tests = {test.phase: test.batches for test in self._training.tests}
        return {TRAIN: self._training.train_batches, **tests}

    def _data_with_own_place(self) -> State:
        return {
            f"data.{phase}": dataset
            for phase, batches in self._data().items()
            for layer in layers_of(batches)
            if (dataset := getattr(layer, "own_place", None)) is not None
        }

    def _placed_batches(self) -> list[Any]:
        """The layers of the data whose place is more than an epoch and a batch."""
        layers = (layer for batches in self._data().values() for layer in layers_of(batches))
        return [layer for layer in layers if hasattr(layer, "load_state_dict")]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo what changes of the state while it lasts; what is made then and no state can hold stays.

        For what was called before the state was saved, and is called again when it is taken up.
        """
        training = self._training
        parts: list[Any] = [training.trainer.model, training.optimizer]
        if training.lr_scheduler is not None:
            parts.append(training.lr_scheduler)
        states, own, random = _copy_of(
            ([part.state_dict() for part in parts], self._own_state.snapshot(), random_state())
        )
        yield
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
        self._own_state.load_state_dict(*own)
        restore_random_state(random)

    # --- reading it --------------------------------------------------------------------------------

    def state_dict(self) -> State:
        """Everything that decides how the run goes on, in types that `weights_only=True` reads.

        All ranks must call it; that of rank 0 holds what is of the others alone.
        """
        training, ranks = self._training, self._training.ranks
        if not ranks.is_alone:
            self._check_same_weights()
        found, shared = self._own_state.state_dict(is_first=ranks.is_first)
        own = {"own_state": found, **self._of_this_rank()}
        return {
            **own,
            "others": ranks.collect(own)[1:],
            "shared_state": shared,
            "epoch": training.epoch,
            "batch": training.batch,
            "batches_before": training.batches_before,
            "samples": training.samples,
            "is_trained": training.is_trained,
            "values": training.values if training.is_trained else {},
            "early_end": training.early_end,
            "num_epochs": training.num_epochs,
            "model": training.trainer.model.state_dict(),
            "optimizer": training.optimizer.state_dict(),
            "groups": self._names_of_groups(),
            "lr_scheduler": training.lr_scheduler.state_dict() if training.lr_scheduler else None,
            "stepper": training.stepper.state_dict(),
            "history": training.history.rows,
            "best": training.best.state_dict(),
        }

    def _of_this_rank(self) -> State:
        training = self._training
        return {
            "running_loss": training.running_loss.state_dict(),
            "train_metrics": {key: metric.state_dict() for key, metric in training.train_metrics.items()},
            "data": [batches.state_dict() for batches in self._placed_batches()],
            "tests": {test.phase: test.state_dict() for test in training.tests},
            "random": random_state(),
        }

    def _parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the model and of the trainer's own modules, by name."""
        modules = {MODEL: self._training.trainer.model, **self._own_state.modules()}
        return {
            f"{name}.{key}": parameter
            for name, module in modules.items()
            for key, parameter in module.named_parameters()
        }

    def _names_of_groups(self) -> list[list[str]]:
        """What each group of the optimizer steps."""
        names = {id(parameter): name for name, parameter in self._parameters().items()}
        return [
            [names.get(id(parameter), "") for parameter in group["params"]]
            for group in self._training.optimizer.param_groups
        ]

    def _check_same_weights(self) -> None:
        """Raises HookError where the processes train different models: such a state is not worth saving."""
        modules = {MODEL: self._training.trainer.model, **self._owned.modules}
        weights = {name: list(module.parameters()) for name, module in modules.items()}
        for name, optimizer in self._owned.optimizers.items():
            weights[f"what {name} steps"] = [p for group in optimizer.param_groups for p in group["params"]]
        self._training.ranks.check_same(weights)

    # --- putting it back ---------------------------------------------------------------------------

    def load_state_dict(self, state: State) -> None:
        """Take up the run where `state` left it. Raises CheckpointError where it is another model's."""
        own = self._part_of_this_rank(state)
        self.begin()
        try:
            self._restore_parts(state, own)
        except (RuntimeError, ValueError, KeyError) as error:
            cause = one_line(text_of(error), 300)
            raise CheckpointError(f"the checkpoint belongs to another job: {cause}") from error
        self._restore_position(state, own)
        restore_random_state(own["random"])

    def _part_of_this_rank(self, state: State) -> State:
        by_rank, part = [state, *state.get("others", [])], self._training.ranks.part
        if len(by_rank) != part.count:
            raise CheckpointError(
                f"the checkpoint is of a training in {len(by_rank)} processes, and this one has "
                f"{part.count}; it goes on exactly only with as many"
            )
        return by_rank[part.index]

    def _restore_parts(self, state: State, own: State) -> None:
        training = self._training
        training.trainer.model.load_state_dict(state["model"])
        self._add_groups(state.get("groups", ()))  # older checkpoints have none
        training.optimizer.load_state_dict(state["optimizer"])
        if training.lr_scheduler is not None and state["lr_scheduler"] is not None:
            training.lr_scheduler.load_state_dict(state["lr_scheduler"])
        training.stepper.load_state_dict(state["stepper"])
        for key, metric in training.train_metrics.items():
            metric.load_state_dict(own["train_metrics"][key])
        tests = own.get("tests", {})  # older checkpoints have none
        for test in training.tests:
            if test.phase in tests:
                test.load_state_dict(tests[test.phase])
        for batches, place in zip(self._placed_batches(), own.get("data", ()), strict=False):
            batches.load_state_dict(place)
        if "own_state" in own:  # older checkpoints have none
            self._own_state.load_state_dict(own["own_state"], state["shared_state"])

    def _add_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """Give the optimizer the groups that the trainer had added to it while it trained."""
        optimizer, parameters = self._training.optimizer, self._parameters()
        for names in groups[len(optimizer.param_groups) :]:
            optimizer.add_param_group({"params": [parameters[name] for name in names]})

    def _restore_position(self, state: State, own: State) -> None:
        training = self._training
        training.epoch, training.batch, training.samples = state["epoch"], state["batch"], state["samples"]
        # Older checkpoints have none, and all their epochs were of one length.
        training.batches_before = state.get("batches_before", training.epoch * len(training.train_batches))
        # Who asks for more epochs than it ended with wants it to go on.
        has_more = training.num_epochs > state.get("num_epochs", training.num_epochs)
        training.early_end = "" if has_more else state["early_end"]
        training.is_trained, training.values = state.get("is_trained", False), state.get("values", {})
        # A state of fusionq 0.1 counted the samples of all ranks in one number.
        known = {"samples": training.samples if training.ranks.is_first else 0.0}
        training.running_loss.load_state_dict({**known, **own["running_loss"]})
        training.history = History(list(state["history"]))
        training.best.load_state_dict(state["best"])


def _copy_of(state: Any) -> Any:
    """Returns a copy that takes no memory of a device."""
    copy = io.BytesIO()
    torch.save(state, copy)
    copy.seek(0)
    return torch.load(copy, map_location="cpu", weights_only=True)
