"""From the name that a block gives its target to a full one, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fusionq.spec.catalog import catalog, is_complete_for, kind_of
from fusionq.spec.kinds import KINDS, TargetPlace
from fusionq.spec.near import nearest


class Name:
    """A name at a place. Only the outermost block of a place must be of its kind."""

    def __init__(self, name: str, place: TargetPlace, section: str, *, is_outermost: bool) -> None:
        self.name = name
        self.section = section
        self._place = place
        self._is_outermost = is_outermost
        self.full = name if "." in name else _look_up(name, place.modules)

    def complaint(self) -> Callable[[], str] | None:
        """None where the name is right, as far as is known; what it says costs a search for a near one."""
        if self._is_outermost and not self._place.takes(kind_of(self._anywhere())):
            return self._of_wrong_kind
        if not self.full:
            return self._no_short_name
        module, _, name = self.full.rpartition(".")
        known = catalog().get(module)
        is_wrong = known is not None and name not in known and is_complete_for(module)
        return self._no_full_name if is_wrong else None

    def _anywhere(self) -> str:
        """The full name, though it be that of a module where this place does not look."""
        return self.full or _look_up(self.name, catalog())

    def _of_wrong_kind(self) -> str:
        found, needed = self._anywhere(), KINDS[self._place.kind]
        name = self.name.rpartition(".")[2]
        near = nearest(name, self._valid(self._place.modules)) or ""
        example = near if near.startswith(name) else needed.usual
        return (
            f"{found} is {KINDS[kind_of(found)].words}; "
            f"`{self.section}` needs {needed.words}, such as {example}"
        )

    def _no_short_name(self) -> str:
        modules = self._place.modules
        single = f"{modules[0]}.{self.name}"
        words = f"there is no {single if len(modules) == 1 else f'{self.name} in {_listed(modules)}'}"
        elsewhere = self._anywhere()
        if elsewhere:
            return f"{words}; write {elsewhere}"
        near = nearest(self.name, self._valid(modules))
        if near:
            return f"{words}; did you mean {near!r}?"
        newer = next((module for module in modules if not is_complete_for(module)), "my_package")
        example = self.name if newer != "my_package" else "MyClass"
        return f"{words}; write the full path, such as {newer}.{example}"

    def _no_full_name(self) -> str:
        module, _, name = self.full.rpartition(".")
        near = nearest(name, self._valid([module])) or nearest(name, catalog()[module])
        return f"there is no {self.full}" + (f"; did you mean {near!r}?" if near else "")

    def _valid(self, modules: Iterable[str]) -> list[str]:
        """The names that may stand here."""
        found = (f"{module}.{name}" for module in modules for name in catalog().get(module, ()))
        takes = self._place.takes if self._is_outermost else lambda _: True
        return sorted({full.rpartition(".")[2] for full in found if takes(kind_of(full))})


def _look_up(name: str, modules: Iterable[str]) -> str:
    """The full name by the first module that has it; empty where none does."""
    return next((f"{module}.{name}" for module in modules if name in catalog().get(module, ())), "")


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
