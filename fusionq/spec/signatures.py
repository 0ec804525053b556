"""What a call may look like, read from the catalog's short form of a signature, and what is wrong with one.

The short form of `(a, b=1, *, c=2, **d)` is `a b= * c= **d`. A `#` behind a parameter says that it is a
number or several, and no text: `lr=#`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from fusionq.errors import MOST_PROBLEMS
from fusionq.spec.near import did_you_mean, nearest


@dataclass(frozen=True)
class Call:
    """Arguments as a job file gives them.

    `supplied` is how many more fusionq puts before them, `supplied_names` are those that it gives by name.
    """

    num_positional: int
    keywords: Collection[str]
    supplied: int = 0
    supplied_names: Collection[str] = ()


@dataclass(frozen=True)
class Signature:
    """The names of the parameters in their order; `positional` are those that need no name.

    What its methods say of a call follows the name of the target.
    """

    positional: tuple[str, ...]
    names: tuple[str, ...]
    required: frozenset[str]
    takes_any_positional: bool
    takes_any_keyword: bool
    numbers: frozenset[str] = frozenset()

    def texts_for_numbers(
        self, call: Call, positional: Sequence[Any], given: Mapping[str, Any]
    ) -> Iterator[tuple[int | str, str]]:
        """Yields where a text or null stands in a number's place, by position or name, and what is wrong."""
        names = self.positional[call.supplied : call.supplied + len(positional)]
        by_position = zip(range(len(positional)), names, positional, strict=False)
        by_name = ((name, name, value) for name, value in given.items())
        for key, name, value in (*by_position, *by_name):
            if name in self.numbers and (value is None or isinstance(value, str)):
                shown = "nothing" if value is None else repr(value)
                yield key, f"takes a number for {name!r}, such as 2, 0.5 or 1e-3; this is {shown}"

    def too_many_positional(self, call: Call) -> Iterator[str]:
        most = max(0, len(self.positional) - call.supplied)
        if not self.takes_any_positional and call.num_positional > most:
            number = f"at most {most}" if most else "no"
            arguments = "argument" if most == 1 else "arguments"
            yield f"takes {number} {arguments} by position; {call.num_positional} are too many"

    def wrong_keywords(self, call: Call) -> Iterator[tuple[str, str]]:
        """Each keyword that cannot be given, with what is to be said of it."""
        supplied = (*self.positional[: call.supplied], *call.supplied_names)
        given = self._given_by_position(call)
        for key in call.keywords:
            if key in supplied:
                yield key, f"gets its {key!r} from fusionq; leave it out"
            elif key in given:
                yield key, f"gets {key!r} twice: it is among the positional arguments"
            elif key not in self.names and not self.takes_any_keyword:
                others = (name for name in self.names if name not in given)
                yield key, f"takes no argument {key!r}{did_you_mean(key, others)}"

    def missing(self, call: Call) -> Iterator[str]:
        """What is to be said of the arguments that it needs and nobody gives, not even misspelled."""
        given = {*self._given_by_position(call), *call.keywords, *call.supplied_names}
        lacking = [name for name in self.names if name in self.required and name not in given]
        unknown = islice((key for key in call.keywords if key not in self.names), MOST_PROBLEMS)
        meant = {nearest(key, self.names) for key in unknown} if lacking else set()
        lacking = [repr(name) for name in lacking if name not in meant]
        if lacking:
            yield f"needs {' and '.join(lacking)}"

    def _given_by_position(self, call: Call) -> tuple[str, ...]:
        return self.positional[: call.supplied + call.num_positional]


@lru_cache(maxsize=1024)
def read_signature(short_form: str) -> Signature:
    words = short_form.split()
    starred = next((i for i, word in enumerate(words) if word.startswith("*")), len(words))
    names = [word for word in words if not word.startswith("*")]
    return Signature(
        positional=tuple(_bare(word) for word in words[:starred]),
        names=tuple(_bare(name) for name in names),
        required=frozenset(_bare(name) for name in names if not name.rstrip("#").endswith("=")),
        takes_any_positional=any(word[0] == "*" and word[1:2] not in ("", "*") for word in words),
        takes_any_keyword=any(word.startswith("**") for word in words),
        numbers=frozenset(_bare(name) for name in names if name.endswith("#")),
    )


def _bare(word: str) -> str:
    return word.rstrip("#").removesuffix("=")
