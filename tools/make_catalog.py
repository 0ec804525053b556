"""Write `fusionq/spec/catalog.json` from the torch and torchvision that are installed here.

Run `python tools/make_catalog.py` after a new release of either, and commit the result.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import torch
import torchvision

import fusionq

MODULES = (
    "torch.nn",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.utils.data",
    "torchvision.datasets",
    "torchvision.models",
    "torchvision.transforms.v2",
)
OUTPUT = Path(fusionq.__file__).parent / "spec" / "catalog.json"


def public_names(module_name: str) -> list[str]:
    """Classes and functions that the module itself offers."""
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    found = []
    for name in names:
        value = getattr(module, name, None)
        if inspect.isclass(value) or (inspect.isfunction(value) and module_name == "torchvision.models"):
            found.append(name)
    return sorted(found)


def main() -> None:
    names = {module: public_names(module) for module in MODULES}
    names["fusionq"] = sorted(name for name in fusionq.__all__ if not name.startswith("_"))
    versions = {p.__name__: p.__version__.split("+")[0] for p in (torch, torchvision)}
    OUTPUT.write_text(json.dumps({"versions": versions, "names": names}, indent=1) + "\n")
    print(f"{OUTPUT}: {sum(map(len, names.values()))} names")


if __name__ == "__main__":
    main()
