"""Config: the targets of a project and how each is checked, as they are written in
verifier.toml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.checking.defaults import check_dtypes, current_defaults
from verifier.checking.settings import CheckSettings
from verifier.commands.config.toml_table import (
    Table,
    arrays_of_tables,
    read_toml,
    sub_table,
    toml_text,
)
from verifier.errors import InputError
from verifier.operations.formats import CODE_FORMATS
from verifier.process.setting import TEXT, ValueKind, settings_of
from verifier.process.values import Facts, Options, UserValue
from verifier.training.csv_file import shortened_text

InputText = str | float
"""What stands for an input: a text as behind `--input`, or a number."""


@dataclass(frozen=True)
class AcceptedFailure:
    """A failure that is known and accepted, with the reason."""

    component: str
    """The name of what disagrees; where something other than a number is wrong, the name of the
    check that says so.
    """
    dtype: str
    reason: str
    cause: str = ""
    """Only where this is the cause; empty: whatever the cause."""

    @property
    def title(self) -> str:
        """What is accepted, in words: `w in float32 (sign flipped)`."""
        return f"{self.component} in {self.dtype}{f' ({self.cause})' if self.cause else ''}"


@dataclass(frozen=True)
class ConfiguredTarget:
    """A target with all that its check needs, as it is written."""

    target: str
    inputs: Mapping[str, InputText]
    """By flat names: x, w[0], state.h."""
    settings: CheckSettings
    formula: str | None = None
    reference: str | None = None
    reduction: str = "none"
    accepted: tuple[AcceptedFailure, ...] = ()
    folder: Path = Path()
    """What paths in `target` and `reference` are relative to."""

    @classmethod
    def of(cls, fields: Options) -> ConfiguredTarget:
        """From its fields in JSON's own types."""
        accepted = tuple(AcceptedFailure(**entry) for entry in fields["accepted"])
        changed = {
            "settings": CheckSettings(**fields["settings"]),
            "accepted": accepted,
            "folder": Path(fields["folder"]),
        }
        return cls(**{**fields, **changed})

    @property
    def words(self) -> list[str]:
        """The inputs as one types them behind `--input`."""
        return [
            f"{name}={given if isinstance(given, str) else repr(given)}"
            for name, given in self.inputs.items()
        ]

    def path_from_here(self, text: str) -> str:
        """A target with its path as seen from where the program runs; a module's name stays as
        it is.
        """
        file, mark, name = text.partition("::")
        return f"{self.folder / file}{mark}{name}" if mark else text


@dataclass(frozen=True)
class Config:
    """What a file asks for: at least one target, no two alike."""

    path: Path
    targets: tuple[ConfiguredTarget, ...]


def read_config(path: str | Path) -> Config:
    """The targets of a file such as verifier.toml.

    What a target does not set is set as in the file's `[settings]`, and what is not set there by
    the defaults of this test run. Raises InputError, which names the file, for what cannot be read
    or is no setting.
    """
    path = Path(path)
    file = read_toml(path)
    file.require_only(_FILE)
    if not file.values.get("target"):
        raise file.error(
            'it lists no target: add [[target]], and below it target = "layers.py::MyNorm" and '
            "inputs"
        )
    known = current_defaults()
    before = CheckSettings(dtypes=known.dtypes, points=known.points, seed=known.seed)
    settings = _file_settings(file.table("settings", "[settings]"), before)
    written = file.tables("target", "target {}")
    targets = tuple(_configured_target(table, settings, path.parent) for table in written)
    for place, target in enumerate(targets):
        if _target_identity(target) in map(_target_identity, targets[:place]):
            twice = (
                "it is listed before, with the same formula or reference and the same inputs: list "
                "it once"
            )
            raise written[place].with_target(target.target).error(twice)
    return Config(path, targets)


def _target_identity(target: ConfiguredTarget) -> tuple[object, ...]:
    """What is checked, however it is done."""
    settings = target.settings
    state = settings.wrt, settings.not_wrt, settings.state, settings.train
    intended = target.formula, target.reference, target.reduction
    return target.target, intended, dict(target.inputs), state


def _file_settings(table: Table, before: CheckSettings) -> CheckSettings:
    """The settings in the table, over those before."""
    table.require_only(_SETTINGS)
    return _settings_over(table, before)


def _settings_over(table: Table, before: CheckSettings) -> CheckSettings:
    given = {key: value for key, value in table.values.items() if key in _SETTINGS}
    if "dtypes" in given:
        given["dtypes"] = _checked_dtypes(table, given["dtypes"])
    return replace(before, **given)


def _checked_dtypes(table: Table, names: Iterable[str]) -> tuple[str, ...]:
    try:
        return check_dtypes(names)
    except InputError as error:
        raise error.located(f"{table.place}: dtypes") from None


def _configured_target(table: Table, settings: CheckSettings, folder: Path) -> ConfiguredTarget:
    table.require_only(_TARGET)
    table.require("target")
    values = table.values
    table = table.with_target(values["target"])
    table.require("inputs")
    if "formula" in values and "reference" in values:
        raise table.error(
            "a formula and a reference are two ways to say what is right: give one of them"
        )
    return ConfiguredTarget(
        target=values["target"],
        inputs=_target_inputs(table),
        settings=_settings_over(table, settings),
        formula=values.get("formula"),
        reference=values.get("reference"),
        reduction=values.get("reduction", "none"),
        accepted=_accepted_failures(table),
        folder=folder,
    )


def _target_inputs(table: Table) -> dict[str, InputText]:
    found: dict[str, InputText] = {}
    for name, given in _flat_inputs(table.values["inputs"]):
        if name in found:
            raise table.error(f"input {name} is given twice: give it once")
        if not isinstance(given, str | int | float):
            example = "give a number, or text such as '-2:2:4x3'"
            raise table.error(f"input {name} = {toml_text(given)} cannot be used: {example}")
        found[name] = str(given) if isinstance(given, bool) else given
    return found


def _flat_inputs(inputs: Facts, before: str = "") -> Iterator[tuple[str, UserValue]]:
    """Names and values; tables inside tables are the parts of a dictionary."""
    for name, given in inputs.items():
        if isinstance(given, dict):
            yield from _flat_inputs(given, f"{before}{name}.")
        else:
            yield f"{before}{name}", given


def _accepted_failures(table: Table) -> tuple[AcceptedFailure, ...]:
    found: list[AcceptedFailure] = []
    for one in table.tables("accepted", "accepted {}"):
        one.require_only(_ACCEPTED)
        one.require("component", "dtype", "reason")
        accepted = AcceptedFailure(**one.values)
        if accepted.dtype not in CODE_FORMATS:
            raise one.error(
                f"there is no dtype {shortened_text(accepted.dtype)!r}: use "
                f"{' or '.join(CODE_FORMATS)}"
            )
        if accepted.title in [other.title for other in found]:
            raise one.error(f"{accepted.title} is accepted twice: give it once")
        found.append(accepted)
    return tuple(found)


_SETTINGS: Mapping[str, ValueKind] = {
    name: setting.kind for name, setting in settings_of(CheckSettings).items()
}
_ACCEPTED: Mapping[str, ValueKind] = {
    "component": TEXT,
    "dtype": TEXT,
    "cause": TEXT,
    "reason": TEXT,
}
_TARGET: Mapping[str, ValueKind] = {
    "target": TEXT,
    "formula": TEXT,
    "reference": TEXT,
    "reduction": TEXT,
    "inputs": sub_table('a table, as in { x = "-2:2:4x3", g = 2 }'),
    **_SETTINGS,
    "accepted": arrays_of_tables("tables, each below a line [[target.accepted]]"),
}
_FILE: Mapping[str, ValueKind] = {
    "settings": sub_table("a table, below a line [settings]"),
    "target": arrays_of_tables("tables, each below a line [[target]]"),
}
