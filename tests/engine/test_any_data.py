"""Image folders, text and tables, through the data sets that torchvision or a user brings."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from fusionq.engine.job import Job, run_job
from fusionq.engine.stopping import StopToken
from fusionq.spec.load import from_yaml
from fusionq.spec.paths import RunPaths

REST = """
loss: {_target_: CrossEntropyLoss}
optimizer: {_target_: Adam, lr: 0.01}
metrics: {test: [{_target_: Accuracy}]}
train: {epochs: 20}
"""


class Sentences(Dataset):
    """Sentences of words 1 to 9, of several lengths; the class says whether the first word is above 5."""

    def __init__(self, number: int) -> None:
        generator = torch.Generator().manual_seed(number)
        lengths = torch.randint(1, 6, (number,), generator=generator).tolist()
        self.samples = [torch.randint(1, 10, (length,), generator=generator) for length in lengths]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.samples[index], int(self.samples[index][0] > 5)


def padded(samples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    words, classes = zip(*samples, strict=True)
    return pad_sequence(list(words), batch_first=True), torch.tensor(classes)


class FirstWord(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.out = nn.Linear(8, 2)

    def forward(self, words: Tensor) -> Tensor:
        return self.out(self.embed(words[:, 0]))


class Table(Dataset):
    """Rows of four numbers; the class says whether they add up to more than nothing."""

    def __init__(self, number: int) -> None:
        self.rows = torch.randn(number, 4, generator=torch.Generator().manual_seed(number))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.rows[index], (self.rows[index].sum() > 0).long()


def accuracy_of(text: str, folder: Path) -> float:
    job = Job(from_yaml(text + REST), RunPaths(folder / "run"), 1, folder)
    result = run_job(job, lambda event: None, StopToken())
    assert result is not None
    return result["best_value"]


def test_text_of_several_lengths_trains_with_a_collate_function(tmp_path: Path) -> None:
    text = """
model: {_target_: tests.engine.test_any_data.FirstWord}
data:
  train: {_target_: tests.engine.test_any_data.Sentences, number: 300}
  test: {_target_: tests.engine.test_any_data.Sentences, number: 100}
  collate_fn: tests.engine.test_any_data.padded
  batch_size: 16
"""
    assert accuracy_of(text, tmp_path) > 0.95


def test_a_table_trains_through_a_data_set_of_ones_own(tmp_path: Path) -> None:
    text = """
model: {_target_: Linear, in_features: 4, out_features: 2}
data:
  train: {_target_: tests.engine.test_any_data.Table, number: 300}
  test: {_target_: tests.engine.test_any_data.Table, number: 100}
  batch_size: 16
"""
    assert accuracy_of(text, tmp_path) > 0.9


def test_an_image_folder_trains_with_the_transforms_of_the_job(tmp_path: Path) -> None:
    for name, colour in (("dark", 30), ("light", 220)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            size = (20 + number, 24)  # pictures of several sizes
            Image.new("RGB", size, (colour + number,) * 3).save(
                tmp_path / "pictures" / name / f"{number}.png"
            )
    text = f"""
model:
  _target_: Sequential
  _args_: [{{_target_: fusionq.Flatten}}, {{_target_: Linear, in_features: 192, out_features: 2}}]
data:
  train: {{_target_: ImageFolder, root: {tmp_path / "pictures"}}}
  test: {{_target_: ImageFolder, root: {tmp_path / "pictures"}}}
  augment: [{{_target_: ColorJitter, brightness: 0.1}}]
  transform: [{{_target_: Resize, size: [8, 8]}}, {{_target_: ToTensor}}]
  batch_size: 8
"""
    assert accuracy_of(text, tmp_path) > 0.9
