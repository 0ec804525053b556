"""Write `docs/job-file.md` from the model of the job file. Run it after a key changed."""

from __future__ import annotations

from pathlib import Path

from fusionq.spec.describe import ANY_NAME, Key, keys

OUTPUT = Path(__file__).parents[1] / "docs" / "job-file.md"

HEAD = """# The job file

Written by `tools/make_job_docs.py` from the model that checks job files.

- `_target_` is an import path, with the keyword arguments beside it and positional ones under `_args_`.
  A short name is looked up where its section implies: `torch.nn` (model, loss), `torch.optim`,
  `torch.optim.lr_scheduler`, `torchvision.datasets`, `torchvision.transforms.v2`, `fusionq`.
  `class_path` with `init_args`, and `_component_`, are read as synonyms.
- Durations are `30s`, `10m`, `2h30m`; intervals are `1ep`, `500ba` or a duration; sizes are `20GB`, `16GiB`.
  `1e-3` is a number.
- `${VAR}` and `${VAR:-default}` come from the environment; `$${VAR}` is the text itself.
- On the command line, `key.path=value` changes any key: `fusionq submit job.yaml optimizer.lr=1e-2`.

| key | type | default | what it says |
|---|---|---|---|
"""


def row(key: Key) -> str:
    name = key.dotted.replace(ANY_NAME, "KEY")
    default = "required" if key.required else f"`{key.default_text}`" if key.default_text else "none"
    words = key.description.replace("|", "\\|")
    return f"| `{name}` | {key.type_text} | {default} | {words} |"


def text() -> str:
    return HEAD + "\n".join(row(key) for key in keys() if not key.is_section) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(text())
    print(OUTPUT)
