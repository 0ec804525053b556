"""Trainers that keep a state of their own beside the model, as users write them."""

from __future__ import annotations

import copy
import random
from collections import deque, namedtuple
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

import fusionq as tf

Transition = namedtuple("Transition", ["state", "action", "reward"])


class Gan(nn.Module):
    """A generator and a discriminator; what is trained by the job file's optimizer is neither."""

    def __init__(self) -> None:
        super().__init__()
        self.G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 64))
        self.D = nn.Sequential(nn.Linear(64, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


class GanTrainer(tf.BaseModel):
    """Two optimizers of its own, a scheduler, averaged weights and a fixed noise."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.optimizers = {
            "D": torch.optim.Adam(model.D.parameters(), 1e-2),
            "G": torch.optim.Adam(model.G.parameters(), 1e-2),
        }
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizers["G"], 4, 0.5)
        self.average = copy.deepcopy(model.G).requires_grad_(False)
        self.noise = torch.Generator().manual_seed(3)
        self.steps = 0
        self.losses: list[float] = []

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        real = data[0].reshape(len(data[0]), -1)
        fake = self.model.G(torch.randn(len(real), 4, generator=self.noise))
        bce = nn.functional.binary_cross_entropy_with_logits
        d_loss = bce(self.model.D(real), torch.ones(len(real), 1))
        d_loss = d_loss + bce(self.model.D(fake.detach()), torch.zeros(len(real), 1))
        self._step("D", d_loss)
        self._step("G", bce(self.model.D(fake), torch.ones(len(real), 1)))
        self.schedule.step()
        self.steps += 1
        self.losses.append(d_loss.item())
        with torch.no_grad():
            for averaged, weight in zip(self.average.parameters(), self.model.G.parameters(), strict=True):
                averaged.data.lerp_(weight, 1 / (self.steps + 1))
        running_loss.add_(d_loss * len(real))

    def _step(self, name: str, loss: torch.Tensor) -> None:
        self.optimizers[name].zero_grad()
        loss.backward()
        self.optimizers[name].step()

    def __eval_function__(self, data, metrics):
        for metric in metrics:
            metric.update(self.average(torch.ones(len(data[0]), 4))[:, :10], data[1])


class Recurrent(nn.Module):
    """Goes on from where it was in the batch before: its hidden state is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 10)
        self.seen = 0
        self.hidden: torch.Tensor | None = None
        self.register_buffer("mean", torch.zeros(8), persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        inputs = inputs.reshape(-1, 8, 8) - self.mean
        hidden = None if self.hidden is None else self.hidden[:, :1].expand(-1, len(inputs), -1).contiguous()
        outputs, hidden = self.rnn(inputs, hidden)
        if self.training:
            self.hidden = hidden.detach()
            self.mean = self.mean.lerp(inputs.mean((0, 1)).detach(), 0.1)
            self.seen += len(inputs)
        return self.head(outputs[:, -1])


class Centred(nn.Module):
    """Takes from its inputs the mean of all that it has seen, in testing as well."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)
        self.mean = 0.0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.mean = 0.5 * self.mean + 0.5 * inputs.mean().item()
        return self.head(inputs.flatten(1) - self.mean)


class RecurrentTrainer(tf.StandardModel):
    """Adds up the gradients of three batches itself."""

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        loss = loss_fn(self.model(inputs), targets)
        loss.backward()
        if self.model.seen // 144 % 3 == 0:
            optimizer.step()
            optimizer.zero_grad()
        running_loss.add_(loss * len(inputs))


class UnfreezingTrainer(tf.StandardModel):
    """Trains its first layer from the fifth batch on, and only the first batch of an epoch with dropout."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.model[1].requires_grad_(False)

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        if (epoch, batch_num) == (1, 4):
            self.model[1].requires_grad_(True)
        if batch_num == 1:
            self.model[3].eval()
            self.model[3].p = 0.4 * epoch
        super().__train_func__(data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num)


class CurriculumTrainer(tf.StandardModel):
    """Makes every epoch harder than the one before, by chance, and its first batches easier."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.noise = 0.1
        self.is_easy = False

    def on_epoch_start(self, epoch):
        self.noise += random.random()
        self.is_easy = True
        self.names = iter("abcdefghijkl")  # is in no checkpoint

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        next(self.names)
        inputs, targets = data
        noise = 0.0 if self.is_easy else self.noise
        data = inputs + noise * torch.randn_like(inputs), targets
        super().__train_func__(data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num)
        self.is_easy = batch_num < 2


class GroupTrainer(tf.StandardModel):
    """Gives the optimizer a second head to train, from the third batch on."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.head = nn.Linear(10, 10)

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        if (epoch, batch_num) == (1, 2):
            optimizer.add_param_group({"params": self.head.parameters(), "lr": 0.003})
        optimizer.zero_grad()
        loss = loss_fn(self.head(self.model(data[0])), data[1])
        loss.backward()
        optimizer.step()
        running_loss.add_(loss, weight=len(data[0]))


@dataclass
class Schedule:
    """How often the policy guesses."""

    epsilon: float = 1.0

    def step(self) -> None:
        self.epsilon *= 0.9


class Memory:
    """The replay buffer of torch's tutorial on deep Q-learning."""

    def __init__(self, capacity: int) -> None:
        self.items: deque = deque(maxlen=capacity)
        self.rng = random.Random(4)

    def push(self, *parts) -> None:
        self.items.append(Transition(*parts))

    def sample(self, size: int) -> list[Transition]:
        return self.rng.sample(list(self.items), size)


class Replay(tf.BaseModel):
    """Guesses digits for a reward: with a buffer, a target network, a schedule, and its own generators."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.target = copy.deepcopy(model)
        self.optimizer = torch.optim.RMSprop(model.parameters(), 1e-3)
        self.memory = Memory(400)
        self.rng = np.random.default_rng(5)
        self.schedule = Schedule()
        self.rewards = np.zeros(3)
        self.best: Transition | None = None
        self.by_action: dict[int, list[torch.Tensor]] = {}

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        images, labels = data
        for image, label in zip(images[:40], labels[:40], strict=True):
            if self.rng.random() < self.schedule.epsilon:
                action = int(self.rng.integers(10))
            else:
                action = self.model.eval()(image[None]).argmax().item()
            reward = float(action == label)
            self.memory.push(image, action, reward)
            self.by_action.setdefault(action, []).append(image.mean())
            self.best = self.memory.items[-1] if reward else self.best
            self.rewards[action % 3] += reward
        drawn = Transition(*zip(*self.memory.sample(32), strict=True))
        values = self.model.train()(torch.stack(drawn.state))
        with torch.no_grad():
            future = self.target(torch.stack(drawn.state)).max(1).values
        taken = values.gather(1, torch.tensor(drawn.action)[:, None])[:, 0]
        loss = nn.functional.mse_loss(taken, torch.tensor(drawn.reward) + 0.5 * future)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        if batch_num % 4 == 3:
            self.target.load_state_dict(self.model.state_dict())
        running_loss.add_(loss * len(images))

    def __eval_function__(self, data, metrics):
        for metric in metrics:
            metric.update(self.model(data[0]), data[1])
