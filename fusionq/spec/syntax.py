"""From text to YAML nodes, as many of them as can be read: a syntax error does not hide what is around it.

Where a part of a file is no YAML, the block of the top level that holds it is left out and the rest is
read, so that a person hears of every mistake at once.
"""

from __future__ import annotations

import re

import yaml
from yaml.reader import Reader as _YamlReader

from fusionq.errors import Problem, SpecError
from fusionq.spec.places import Place, Text

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 100
MOST_ERRORS = 20

_LEADING_TABS = re.compile(r"^[ ]*\t[ \t]*", re.MULTILINE)
_OUTERMOST = re.compile(r"[^\s#]")


def compose(text: Text) -> tuple[list[yaml.Node], list[Problem]]:
    """The documents of a text as nodes, and what is no YAML in it. Raises SpecError where nothing is."""
    _refuse_control_characters(text)
    whole = text.whole
    problems: list[Problem] = []
    while True:
        try:
            _refuse_deep_nesting(text, whole)
            nodes = [node for node in yaml.compose_all(whole, Loader=Loader) if not _is_empty(node)]
            return nodes, problems
        except yaml.MarkedYAMLError as error:
            problem, rest = _take_out(error, text, whole)
            problems.append(problem)
            if len(problems) == MOST_ERRORS or rest == whole:
                raise SpecError(problems) from None
            whole = rest
        except yaml.YAMLError as error:
            message = f"is not valid YAML: {' '.join(str(error).split())}"
            raise SpecError([*problems, Problem(text.name, message)]) from None


def place_of(text: Text, mark: yaml.Mark, length: int = 1) -> Place:
    return Place(text.name, mark.line + 1, mark.column + 1, length, length, text)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style


def _refuse_control_characters(text: Text) -> None:
    found = _YamlReader.NON_PRINTABLE.search(text.whole)
    if found is None:
        return
    if "\ud800" <= found[0] <= "\udfff":
        raise SpecError([Problem(text.name, "is not UTF-8 text")])
    place = text.place_at(found.start())
    message = f"is not valid YAML: a text file holds no control character {found[0]!r}"
    raise SpecError([Problem(str(place), message, place.excerpt())])


def _refuse_deep_nesting(text: Text, whole: str) -> None:
    """The C composer recurses without a limit, and a file of brackets would end the process."""
    depth = 0
    for event in yaml.parse(whole, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            place = place_of(text, event.start_mark)
            raise SpecError([Problem(str(place), "the file is nested too deeply", place.excerpt())])


def _take_out(error: yaml.MarkedYAMLError, text: Text, whole: str) -> tuple[Problem, str]:
    """The error in our words, and the text without what it is about."""
    mark = error.problem_mark or error.context_mark
    assert mark is not None
    if _starts_with_tab(whole, mark):
        return _tabs(text, mark, whole)
    start, message = _explain(error, mark)
    if text.line(start.line + 1)[: start.column + 1].endswith("${"):
        message = "a ${VAR} between brackets wants quotes: '${VAR}'"
    place = place_of(text, start)
    problem = Problem(str(place), f"is not valid YAML: {message}", place.excerpt())
    # What was opened and never closed runs to the end; the rest from its own line on is read again.
    first = min(mark.line, start.line)
    last = first if _is_unclosed(error, mark) else mark.line
    return problem, _without_block(whole, first, last)


def _starts_with_tab(whole: str, mark: yaml.Mark) -> bool:
    line = "".join(whole.splitlines()[mark.line : mark.line + 1])
    return "\t" in line[: len(line) - len(line.lstrip())]


def _tabs(text: Text, mark: yaml.Mark, whole: str) -> tuple[Problem, str]:
    """One message for all tabs. A blank for each leaves every column as it was."""
    place = place_of(text, mark)
    count = len(_LEADING_TABS.findall(whole))
    more = f" (in {count} lines)" if count > 1 else ""
    problem = Problem(
        str(place),
        f"is not valid YAML: a tab is used for indentation{more}; YAML allows spaces only",
        place.excerpt(),
    )
    return problem, _LEADING_TABS.sub(lambda match: " " * len(match[0]), whole)


def _without_block(whole: str, first: int, last: int) -> str:
    """The text with the top-level block around these lines (counted from 0) blanked out."""
    lines = whole.splitlines(keepends=True)
    last = min(last, len(lines) - 1)
    first = min(first, last)
    while first > 0 and not _OUTERMOST.match(lines[first]):
        first -= 1
    end = last + 1
    while end < len(lines) and not _OUTERMOST.match(lines[end]):
        end += 1
    blank = ["\n" if line.endswith(("\n", "\r")) else "" for line in lines[first:end]]
    return "".join([*lines[:first], *blank, *lines[end:]])


def _is_unclosed(error: yaml.MarkedYAMLError, mark: yaml.Mark) -> bool:
    context = error.context_mark
    opens = (error.context or "").endswith(("flow sequence", "flow mapping", "quoted scalar"))
    return opens and context is not None and context.line < mark.line


def _explain(error: yaml.MarkedYAMLError, mark: yaml.Mark) -> tuple[yaml.Mark, str]:
    """Where to look, and what is wrong there."""
    if _is_unclosed(error, mark):
        assert error.context_mark is not None
        what = "quote" if "scalar" in (error.context or "") else "bracket"
        return error.context_mark, f"this {what} is never closed"
    for said, words in _WORDS:
        if said in (error.problem or ""):
            return mark, words
    return mark, (error.problem or error.context or "it cannot be parsed").replace("\n", " ")


_WORDS = (
    (
        "mapping values are not allowed",
        "there cannot be a ':' here; the line is indented too deeply, or its text wants quotes",
    ),
    ("did not find expected key", "the indentation fits no block above"),
    ("did not find expected '-'", "the list above goes on with '- ', or the indentation is wrong"),
    ("did not find expected ',' or '}'", "a ',' or '}' is missing before this"),
    ("did not find expected ',' or ']'", "a ',' or ']' is missing before this"),
    ("could not find expected ':'", "the line before is no 'key: value'"),
    ("cannot start any token", "text cannot begin with this character; put it in quotes"),
    ("block sequence entries are not allowed", "a list of '- ' begins on a line of its own"),
    ("found undefined alias", "there is no anchor of this name above; put text that begins with * in quotes"),
    ("did not find expected node content", "a value is missing here"),
    ("nesting depth", "the file is nested too deeply"),
    ("found unexpected end of stream", "a quote or a bracket is never closed"),
)
