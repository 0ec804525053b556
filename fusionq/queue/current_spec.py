"""The job file of a job as it stands now, and what it becomes by changes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fusionq.errors import StateError, UsageError
from fusionq.queue.submitting import changed_fields
from fusionq.spec.differences import differences
from fusionq.spec.job import JobSpec
from fusionq.spec.load import Loaded, load_data, load_text, parse_job
from fusionq.spec.own_modules import is_in, modules_named
from fusionq.spec.record import JobRecord
from fusionq.spec.secrets import mask_spec
from fusionq.spec.writer import to_yaml
from fusionq.store.packing import unpack
from fusionq.store.spec_change import SpecChange
from fusionq.store.store import Store

_OF_NO_RESULT = ("name", "tags")  # what `differences` leaves out


@dataclass(frozen=True)
class CurrentSpec:
    """What `read_current_spec` found. `packed` is the spec as Redis holds it."""

    record: JobRecord
    packed: bytes

    @cached_property
    def before(self) -> JobSpec:
        """The spec, with the priority that the job has got since."""
        spec = parse_job(unpack(self.packed))
        return spec.model_copy(update={"priority": self.record.priority})

    @cached_property
    def data(self) -> Mapping[str, Any]:
        return self.before.to_data()

    def to_text(self) -> str:
        """Returns a job file for an editor; secrets in it are references, or masked."""
        return to_yaml(mask_spec(self.data))

    def from_text(self, text: str) -> Loaded:
        """Check what became of that file; what is still masked is as it was. Raises UsageError, SpecError."""
        record = self.record
        return self._checked(load_text(text, f"{record.id}.yaml", record.name, self.data))

    def with_overrides(self, overrides: Iterable[str]) -> Loaded:
        """The same for KEY.PATH=VALUE. Raises SpecError, and UsageError."""
        (loaded,) = load_data(self.data, overrides, name=self.record.name)
        return self._checked(loaded)

    def changed_keys(self, spec: JobSpec) -> list[str]:
        """Returns the keys, by dotted path, in which another spec differs."""
        data = spec.to_data()
        changed, _ = differences([data, self.data])
        return [*changed, *(key for key in _OF_NO_RESULT if data.get(key) != self.data.get(key))]

    def change_to(self, spec: JobSpec, params: Mapping[str, Any]) -> SpecChange:
        """Returns what is to be stored with another spec; `params` is what overrides set in making it."""
        fields = changed_fields(self.record, self.before, spec, params)
        return SpecChange(self.packed, spec.to_data(), fields)

    def _checked(self, loaded: Loaded) -> Loaded:
        """Raises UsageError for several jobs, and for code that was not stored with the job."""
        if loaded.trials:
            raise UsageError(
                "a job takes one value for each key", hint="submit the job file again for a sweep"
            )
        if not self.record.code and loaded.spec.code != "none":
            for module in modules_named(loaded.spec.to_data()):
                if is_in(Path(self.record.workdir), module):
                    raise UsageError(
                        f"{module} is code of your own, and {self.record.id} was submitted without any",
                        hint="submit its job file again with that",
                    )
        return loaded


def read_current_spec(store: Store, job_id: str) -> CurrentSpec:
    """Returns the job file of a job, to be changed. Raises NotFoundError."""
    return CurrentSpec(store.jobs.get(job_id), store.jobs.packed_spec(job_id))


ORIGIN = ("task", "after", "unique", "sweep", "code", "model.from")
"""Keys that say where a job came from, and by which others know it: they never change."""
_HOLD = "hold"


def check_changes(record: JobRecord, keys: Iterable[str], more: Iterable[str] = ()) -> None:
    """Raises UsageError for a key, `more` among them, that cannot change in the job file of a job."""
    fixed = (*ORIGIN, *more)
    for key in keys:
        for name in fixed:
            if is_one_of(key, [name]):
                raise UsageError(f"{name} of a job cannot change", hint="submit its job file again with that")
        if key == _HOLD:
            verb = "release" if record.held else "hold"
            raise UsageError("hold is not changed in the job file", hint=f"fusionq {verb} {record.id}")


def changed_meanwhile(record: JobRecord, again: str) -> StateError:
    """What to raise where another spec was not stored, since it was made from one that is not there now."""
    return StateError(f"{record.id} was edited by somebody else meanwhile", hint=f"edit it again: {again}")


def is_one_of(key: str, names: Iterable[str]) -> bool:
    """Returns whether a key is one of these, or stands below one."""
    return any(key == name or key.startswith(f"{name}.") for name in names)
