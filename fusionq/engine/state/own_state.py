"""The state that user code keeps beside the model: in the trainer, callbacks, loss, metrics and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from fusionq.engine.state.decoding import Decoder, restore_gradients
from fusionq.engine.state.encoding import Encoder, gradients_of
from fusionq.engine.state.initial_values import InitialValues
from fusionq.engine.state.kinds import attributes_of, has_state_dict, is_walked
from fusionq.engine.state.walk import walk

MODEL = "model"
AVERAGE = "averaged model"
TRAINER = "self"
OF_TRAINER = "state_dict of the trainer"


class OwnState:
    """Finds and puts back what `roots` hold. The first is the trainer, `model` is its model.

    `average` is the module of its averaged weights. `known` are objects that are kept by somebody else, by
    name. `skipped` are attributes of the trainer that are no state. `warn` is told what no checkpoint holds.
    """

    def __init__(
        self,
        model: nn.Module,
        roots: Mapping[str, Any],
        known: Mapping[str, Any],
        device: torch.device,
        *,
        average: nn.Module | None = None,
        skipped: frozenset[str] = frozenset(),
        warn: Callable[[str], None] | None,
    ) -> None:
        self._model = model
        # The weights of these are kept by somebody else, and not what lies in them beside.
        self._modules = {MODEL: model} if average is None else {MODEL: model, AVERAGE: average}
        self._roots = {name: root for name, root in roots.items() if has_state_dict(root) or is_walked(root)}
        self._known = {
            **self._modules,
            **{name: value for name, value in known.items() if value is not None},
        }
        self._device = device
        self._skipped = skipped
        self._warn = warn
        self._trainer_says_itself = has_state_dict(roots[TRAINER])
        self._was_told: set[str] = set()
        self._initial: InitialValues | None = None

    def begin(self) -> None:
        """Note what is there before training, and before a checkpoint is loaded. The first call counts."""
        if self._initial is None:
            self._initial = InitialValues()
            self._encode(self._initial, is_first=True, is_beginning=True)

    def state_dict(self, *, is_first: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns what is this process's own, and what all have alike, which only the first one gives."""
        self.begin()
        own, shared, unsaved = self._read(self._initial, is_first=is_first)
        self._tell(unsaved)
        return own, shared

    def snapshot(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the same with what is as it was when training began, but for large tensors."""
        self.begin()
        known = InitialValues()
        known.large, known.stateful = self._initial.large, self._initial.stateful
        own, shared, _ = self._read(known, is_first=True)
        return own, shared

    def load_state_dict(self, own: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        """Put back what `state_dict` gave. Raises what a `load_state_dict` raises that it does not fit."""
        self.begin()
        decoder = Decoder(own, {**self._known, **self._roots}, shared, self._device)
        restore_gradients(self._model, shared[MODEL])
        for name, module in self._modules.items():
            decoder.module_parts(decoder.tree.get(name, {}), module)
        for name, root in self._roots.items():
            nodes = decoder.tree.get(name)
            if nodes is None:
                continue
            if _says_itself(name, root):
                decoder.decode(nodes, root)
            else:
                decoder.attributes(nodes, root, attributes_of(root))
        if self._trainer_says_itself and OF_TRAINER in decoder.tree:
            self._roots[TRAINER].load_state_dict(decoder.decode(decoder.tree[OF_TRAINER]))
        if decoder.lost and self._warn:
            self._warn(
                f"the checkpoint holds what this run has no place for: {', '.join(decoder.lost[:5])}; "
                "make it in __init__ of the trainer, and it is put back there"
            )

    def modules(self) -> dict[str, nn.Module]:
        """Returns the trainer's modules beside the model, by their names in it."""
        inner = {id(module) for module in self._model.modules()}
        found = _find(self._roots[TRAINER], TRAINER, self._skipped, nn.Module)
        return {name: module for name, module in found.items() if id(module) not in inner}

    def optimizers(self) -> dict[str, Optimizer]:
        """Returns the trainer's own optimizers, by their names in it."""
        known = {id(value) for value in self._known.values()}
        found = _find(self._roots[TRAINER], TRAINER, self._skipped, Optimizer)
        return {name: optimizer for name, optimizer in found.items() if id(optimizer) not in known}

    def _read(
        self, initial: InitialValues, *, is_first: bool
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
        """Returns this process's own, what all have alike, and what cannot be saved."""
        encoder, tree = self._encode(initial, is_first=is_first, is_beginning=False)
        if self._trainer_says_itself:
            tree[OF_TRAINER] = encoder.encode(self._roots[TRAINER].state_dict(), OF_TRAINER)
        shared = {**encoder.shared, MODEL: gradients_of(self._model)} if is_first else {}
        return encoder.to_state(tree), shared, encoder.unsaved

    def _encode(
        self, initial: InitialValues, *, is_first: bool, is_beginning: bool
    ) -> tuple[Encoder, dict[str, Any]]:
        known = {**self._known, **self._roots}
        encoder = Encoder(known, initial, is_beginning=is_beginning, is_first=is_first)
        tree = {name: encoder.module_parts(module, name) for name, module in self._modules.items()}
        for name, root in self._roots.items():
            if _says_itself(name, root):
                tree[name] = encoder.root(root, name)
            else:
                values = attributes_of(root)
                skipped = self._skipped if name == TRAINER else frozenset()
                values = {key: value for key, value in values.items() if key not in skipped}
                tree[name] = encoder.attributes(root, values, name)
        return encoder, tree

    def _tell(self, unsaved: Mapping[str, str]) -> None:
        """Once for each name."""
        new = {name: kind for name, kind in unsaved.items() if name not in self._was_told}
        self._was_told |= set(new)
        if new and self._warn:
            names = ", ".join(f"{name} ({kind})" for name, kind in list(new.items())[:5])
            more = f" and {len(new) - 5} more" if len(new) > 5 else ""
            self._warn(
                f"not in the checkpoint, so a resumed job begins with it anew: {names}{more}; "
                "state_dict and load_state_dict of the trainer can keep it"
            )


def _says_itself(name: str, root: Any) -> bool:
    """Whether a root is asked for its state; that of a trainer comes on top of its attributes."""
    return name != TRAINER and has_state_dict(root)


def _find(owner: Any, path: str, skipped: frozenset[str], kind: type) -> dict[str, Any]:
    """Returns what of `kind` lies in an object, its containers and its objects, by path."""
    found = walk(owner, path, leaves=nn.Module | Optimizer, skipped=skipped)
    return {name: value for name, value in found if isinstance(value, kind)}
