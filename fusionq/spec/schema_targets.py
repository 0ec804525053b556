"""The part of the JSON Schema that is about targets: short names, import paths, and blocks with arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fusionq.spec.catalog import catalog, kind_of
from fusionq.spec.kinds import TARGET_PLACES
from fusionq.spec.targets import ARGS, FROM, IGNORE, PREFIX, STRICT, TARGET

Schema = dict[str, Any]

ANY_ITEM = "*"  # as in `TARGET_PLACES`

NAME_KEYS = {
    TARGET: "The class or function: a short name, or an import path such as my_package.MyClass.",
    "class_path": f"The same as {TARGET}, with the keyword arguments under init_args.",
    "_component_": f"The same as {TARGET}.",
}
_SOURCE: Schema = {
    "type": ["string", "number"],
    "description": "The job (its id or name) or the file that the weights come from.",
}
_LOADING: Schema = {
    FROM: _SOURCE,
    STRICT: {"description": "With `from`: whether all of the weights must fit; default: true."},
    PREFIX: {"description": "With `from`: take the weights whose names begin so, without it."},
    IGNORE: {"description": "With `from`: layers and names of the model that are not loaded, such as head."},
}
# Without a description: editors would show it instead of that of the key.
_SHARED: dict[str, Schema] = {
    "variable": {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"},
    "import_path": {"type": "string", "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"},
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def any_of(*alternatives: Schema) -> Schema:
    """One of these; an alternative that is a choice itself is taken apart."""
    parts: list[Schema] = []
    for alternative in alternatives:
        inner = alternative["anyOf"] if set(alternative) == {"anyOf"} else [alternative]
        parts += [part for part in inner if part not in parts]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def target_schema(place: tuple[str, ...]) -> Schema:
    """What may stand at a place of `TARGET_PLACES`: a name, or a block."""
    section = _section_of(place)
    alternatives = [ref(f"{section}_name"), ref(f"{section}_block")]
    return any_of(*alternatives, ref("model_of_a_job")) if place == ("model",) else any_of(*alternatives)


def target_definitions() -> dict[str, Schema]:
    """The definitions that `target_schema` refers to."""
    definitions = dict(_SHARED)
    for path, place in TARGET_PLACES.items():
        section = _section_of(path)
        names = _names(place.modules)
        definitions[f"{section}_name"] = _name(name for name, kind in names.items() if place.takes(kind))
        definitions[f"{section}_inner_name"] = _name(names)
        definitions[f"{section}_argument"] = _argument(section)
        definitions[f"{section}_block"] = _block(section)
    definitions["model_block"]["properties"] |= _LOADING
    definitions["model_of_a_job"] = {
        "type": "object",
        "description": "The model of another job, whole.",
        "properties": _LOADING,
        "required": [FROM],
        "additionalProperties": False,
    }
    return definitions


def _section_of(place: tuple[str, ...]) -> str:
    """One word for all places that take the same, such as data.train and data.val."""
    if place == ("data", "sampler"):
        return "sampler"
    return "transform" if place[0] == "data" and place[-1] == ANY_ITEM else place[0]


def _names(modules: Iterable[str]) -> dict[str, str]:
    """Short names with the kind of what each stands for: the first module that has one counts."""
    found: dict[str, str] = {}
    for module in modules:
        for name in catalog().get(module, ()):
            found.setdefault(name, kind_of(f"{module}.{name}"))
    return found


def _name(names: Iterable[str]) -> Schema:
    return any_of({"enum": sorted(names)}, ref("import_path"), ref("variable"))


def _argument(section: str) -> Schema:
    """Any value; the names in blocks within it are checked, however deep they are."""
    inner = ref(f"{section}_argument")
    return {**_keys(section, f"{section}_inner_name"), "items": inner}


def _block(section: str) -> Schema:
    """A block that names one target; the other keys are its arguments."""
    keys = _keys(section, f"{section}_name")
    return {"type": "object", **keys, "oneOf": [{"required": [key]} for key in NAME_KEYS]}


def _keys(section: str, name: str) -> Schema:
    inner = ref(f"{section}_argument")
    properties: Schema = {key: {**ref(name), "description": words} for key, words in NAME_KEYS.items()}
    properties[ARGS] = {"type": "array", "items": inner, "description": "The positional arguments."}
    properties["init_args"] = {"additionalProperties": inner, "description": "The keyword arguments."}
    return {"properties": properties, "additionalProperties": inner}
