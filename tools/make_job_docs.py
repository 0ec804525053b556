"""Write `docs/job-file.md` from the model of the job file. Run it after a key changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fusionq.spec.job import JobSpec

OUTPUT = Path(__file__).parents[1] / "docs" / "job-file.md"

HEAD = """# The job file

Written by `tools/make_job_docs.py` from the model that checks job files.

- `_target_` is an import path, with the keyword arguments beside it and positional ones under `_args_`.
  A short name is looked up where its section implies: `torch.nn` (model, loss), `torch.optim`,
  `torch.optim.lr_scheduler`, `torchvision.datasets`, `torchvision.transforms.v2`, `fusionq`.
  `class_path` with `init_args`, and `_component_`, are read as synonyms.
- Durations are `30s`, `10m`, `2h30m`; intervals are `1ep`, `500ba` or a duration. `1e-3` is a number.
- `${VAR}` and `${VAR:-default}` come from the environment; `$${VAR}` is the text itself.
- On the command line, `key.path=value` changes any key: `fusionq submit job.yaml optimizer.lr=1e-2`.

| key | default | what it says |
|---|---|---|
"""


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from rows(field.annotation, f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | {default(field)} | {field.description} |"


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    if isinstance(value, dict) and "_target_" in value:
        value = value["_target_"].rpartition(".")[2]
    if value in (None, [], {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def text() -> str:
    return HEAD + "\n".join(rows(JobSpec)) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(text())
    print(OUTPUT)
