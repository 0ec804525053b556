"""What the tests of the deep check name in their jobs: models, losses and data with something special."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset

import fusionq as tf

NOT_CALLABLE = 3
OPENED: list[str] = []


class Sized(nn.Module):
    """A block of the user's own whose inner layer is of the wrong size unless told otherwise."""

    def __init__(self, inner: int = 100) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(), nn.Linear(inner, 10))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs)


class Functional(nn.Module):
    """Multiplies without a layer of torch's."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(10, 64))

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.linear(inputs, self.weight)


class LooksAtNumbers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs) if inputs.sum() > 0 else self.layer(-inputs)


class MixesDevices(nn.Module):
    """Has a constant that is made on the CPU whatever the default is; fake tensors know that it is fine."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs * torch.ones(64, device="cpu"))


class WantsGpu(LooksAtNumbers):
    def forward(self, inputs: Tensor) -> Tensor:
        assert inputs.is_cuda
        return self.layer(inputs)


class Downloads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        import urllib.request

        urllib.request.urlopen("http://example.invalid/weights")


class Exits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sys.exit(3)


class Prints(nn.Linear):
    def __init__(self) -> None:
        super().__init__(64, 10)
        print("hello from a constructor")


class Restless(nn.Linear):
    """Changes whatever it can reach."""

    def __init__(self) -> None:
        super().__init__(64, 10)
        torch.manual_seed(5)
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = True
        torch.set_grad_enabled(False)


def own_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.sum(1) - targets).square().mean()


class OwnLoss(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().mean()


class OwnTrainer(tf.StandardModel):
    def __train_func__(self, *arguments: Any) -> None:
        super().__train_func__(*arguments)


class NoHooks(tf.BaseModel):
    pass


class Quiet(tf.StandardModel):
    def on_epoch_start(self, epoch: int) -> None:
        pass


class OwnAdam(torch.optim.Adam):
    pass


class Vectors(Dataset):
    """Samples of your own: `width` numbers and a class, or what `kind` says."""

    def __init__(self, width: int = 64, classes: int = 10, kind: str = "class") -> None:
        OPENED.append(kind)
        if kind == "refused":
            raise ValueError("no such kind")
        if kind == "missing":
            raise FileNotFoundError("vectors.bin")
        self.width, self.kind = width, kind
        self.targets = list(range(classes))

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> Any:
        inputs = torch.zeros(self.width)
        answers = {
            "class": (inputs, index % 10),
            "int32": (inputs, torch.tensor(1, dtype=torch.int32)),
            "uint8": (inputs, torch.tensor(1, dtype=torch.uint8)),
            "number": (inputs, torch.tensor(1.0)),
            "column": (inputs, torch.tensor([1.0])),
            "double": (inputs.double(), index % 10),
            "alone": inputs,
            "named": ({"x": inputs}, 1),
            "odd": (object(), 1),
        }
        return answers[self.kind]


class Drawing(TensorDataset):
    """Random numbers, drawn when it is opened."""

    def __init__(self) -> None:
        OPENED.append("drawing")
        super().__init__(torch.rand(300, 64), torch.randint(10, (300,)))


@functools.cache
def vocabulary() -> Tensor:
    """What a user's code makes once, whoever asks first."""
    return torch.arange(64)


def sized_by_vocabulary() -> nn.Module:
    return nn.Linear(len(vocabulary()), 10)


def vocabulary_data() -> TensorDataset:
    return TensorDataset(vocabulary().expand(144, 64) / 64, torch.zeros(144, dtype=torch.long))


class OneFile(Dataset):
    """Reads its samples one after the other from a file that it holds open, and counts them itself."""

    def __init__(self, size: int = 144) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._file.write(bytes(range(size)))
        self._file.seek(0)
        self.size, self.read = size, 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        (number,) = self._file.read(1)
        assert number == self.read
        self.read += 1
        return torch.full((64,), float(number)), 1


class Dies(nn.Linear):
    def __init__(self) -> None:
        super().__init__(64, 10)
        os._exit(9)


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return iter(())


def stack(samples: list[Any]) -> tuple[Tensor, Tensor]:
    return torch.stack([s[0] for s in samples]), torch.tensor([s[1] for s in samples])


def across(samples: list[Any]) -> tuple[Tensor, Tensor]:
    """The batch in the second dimension, which nobody but this function knows."""
    return torch.stack([s[0] for s in samples], dim=1), torch.tensor([s[1] for s in samples])


class Pair(nn.Linear):
    """Gives its outputs and something else, in a tuple or in a dictionary."""

    def __init__(self, form: str = "tuple") -> None:
        super().__init__(64, 10)
        self.form = form

    def forward(self, inputs: Tensor) -> Any:
        outputs = super().forward(inputs)
        return (outputs, inputs) if self.form == "tuple" else {"logits": outputs}


class Words(nn.Module):
    """An embedding of class numbers, and a layer where it is `deep`."""

    def __init__(self, deep: bool = True, sparse: bool = True) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 10, sparse=sparse)
        self.layer = nn.Linear(10, 10) if deep else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(self.words(inputs).mean(1))


class FunctionalWords(Words):
    """Says only when it runs that its gradients are sparse."""

    def __init__(self) -> None:
        super().__init__(sparse=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(nn.functional.embedding(inputs, self.words.weight, sparse=True).mean(1))


def sentences(count: int = 48) -> TensorDataset:
    words = torch.randint(20, (count, 5), generator=torch.Generator().manual_seed(3))
    return TensorDataset(words, words.sum(1) % 10)


class OwnWay(tf.BaseModel):
    """Has its own loss and its own optimizer, unless it is told to use the job's."""

    def __init__(self, model: nn.Module, ask_for: str = "") -> None:
        super().__init__(model)
        self.own = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.ask_for = ask_for

    def __train_func__(self, data: Any, optimizer: Any, loss_fn: Any, train_metrics: Any, *rest: Any) -> None:
        inputs, targets = data
        outputs = self.model(inputs)
        loss = (loss_fn if self.ask_for == "loss" else nn.functional.cross_entropy)(outputs, targets)
        loss.backward()
        (optimizer if self.ask_for == "optimizer" else self.own).step()
        self.own.zero_grad()
        rest[0].add_(loss * len(inputs))

    def __eval_function__(self, data: Any, metrics: Any) -> None:
        for metric in metrics:
            metric.update(self.model(data[0]), data[1])
