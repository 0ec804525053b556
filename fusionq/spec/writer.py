"""Plain data as a job file that reads back as the same data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from fusionq.spec.reader import escape_variables, read_scalar


def to_yaml(data: Mapping[str, Any]) -> str:
    """A job file that loads again to the same data."""
    return yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )


class _Dumper(yaml.SafeDumper):
    """Quotes what our reader would take for a number or a word, and escapes what it would replace."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        for (key_node, _), key in zip(node.value, mapping, strict=True):
            key_node.value = str(key)  # the reader replaces no variables in keys, so none is escaped
        return node


def _represent_text(dumper: yaml.Dumper, text: str) -> yaml.Node:
    style = None if read_scalar(text) is text else "'"
    if not text.isprintable():
        style = '"'  # the only style that keeps every line end and every space
    return dumper.represent_scalar("tag:yaml.org,2002:str", escape_variables(text), style=style)


_Dumper.add_representer(str, _represent_text)
