"""The plugin for pytest: options for the checks in tests, their reports as files, failures shown as
their report alone.

A test run that uses none of it loads nothing but this module.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import pytest

import verifier

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionRepr

    from verifier.commands.pytest_plugin.collect import Collector
    from verifier.process.values import Options, UserValue
    from verifier.reporting.check_report import CheckReport

CONFIG = "verifier.toml"
_PACKAGE = Path(__file__).parents[2]
_SESSION = "verifier-checks"


class _Setting(NamedTuple):
    name: str
    metavar: str
    help: str

    @property
    def option(self) -> str:
        return f"--verifier-{self.name}"

    @property
    def ini(self) -> str:
        return f"verifier_{self.name}"


_SETTINGS = (
    _Setting(
        "dtypes", "float32,float64", "check gradients in these dtypes, where a test names none"
    ),
    _Setting("points", "N", "random points for each dtype, where a test gives no number"),
    _Setting("seed", "N", "seed of the random points, where a test gives none"),
    _Setting("reports", "DIR", "write a JSON report of each check into this folder"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the plugin, and their names in the configuration."""
    group = parser.getgroup("verifier", "gradients (verifier)")
    group.addoption(
        "--verifier", action="store_true", help="collect the targets of each verifier.toml as tests"
    )
    for setting in _SETTINGS:
        group.addoption(setting.option, metavar=setting.metavar, help=setting.help)
        parser.addini(setting.ini, setting.help, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Start a session where one of the options is used."""
    config.addinivalue_line(
        "markers",
        "gradients(module, **inputs): a case for each public function of the module, as the "
        "argument function, with those of the inputs that it takes as the argument inputs",
    )
    given = {setting.name: _setting_given(config, setting) for setting in _SETTINGS}
    if config.getoption("verifier") or any(given.values()):
        config.pluginmanager.register(_session(config, given), _SESSION)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked with `gradients` has a case for each function of a module."""
    if metafunc.definition.get_closest_marker("gradients") is not None:
        from verifier.commands.pytest_plugin.marked_functions import parametrise

        parametrise(metafunc)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A verifier.toml where they are asked for, or where it is named itself."""
    if file_path.name != CONFIG or not (
        parent.config.getoption("verifier") or parent.session.isinitpath(file_path)
    ):
        return None

    from verifier.commands.pytest_plugin.items import TargetFile

    return TargetFile.at(file_path, parent, _chosen_settings(parent.config))


class _SettingGiven(NamedTuple):
    """What stands behind an option or in the configuration."""

    text: str
    source: str
    folder: Path
    """What a path is relative to."""


def _setting_given(config: pytest.Config, setting: _Setting) -> _SettingGiven | None:
    typed = config.getoption(setting.option)
    if typed is not None:
        return _SettingGiven(typed, setting.option, config.invocation_params.dir)
    written = config.getini(setting.ini)
    return _SettingGiven(written, setting.ini, config.rootpath) if written else None


def _session(config: pytest.Config, given: Mapping[str, _SettingGiven | None]) -> _Session:
    """The session that the options ask for. Raises pytest.UsageError."""
    chosen = {name: _READERS[name](found) for name, found in given.items() if found is not None}
    folder = chosen.pop("reports", None)
    if folder is not None:
        # Workers of a distributed run get the options of the one that they work for, and may
        # run elsewhere.
        config.option.verifier_reports = str(folder)
    return _Session(chosen, folder)


def _read_setting(reader: Callable[[str], UserValue], given: _SettingGiven) -> UserValue:
    from verifier.errors import InputError

    try:
        return reader(given.text)
    except InputError as error:
        raise pytest.UsageError(f"{given.source}: {error}") from None


def _dtypes_given(text: str) -> tuple[str, ...]:
    from verifier.checking.defaults import check_dtypes

    return check_dtypes(filter(None, (name.strip() for name in text.split(","))))


def _whole_number(text: str, least: int) -> int:
    from verifier.errors import InputError

    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise InputError(
            f"{text!r} cannot be used: give a whole number from {least} on, of at most 9 digits"
        )
    return int(text)


def _made_folder(given: _SettingGiven) -> Path:
    from verifier.errors import printable, reason_of

    folder = given.folder / given.text
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        sentence = f"{given.source}: cannot make the folder {given.text!r}: {reason_of(error)}"
        raise pytest.UsageError(printable(sentence)) from None
    return folder


_READERS: Mapping[str, Callable[[_SettingGiven], UserValue]] = {
    "dtypes": partial(_read_setting, _dtypes_given),
    "points": partial(_read_setting, partial(_whole_number, least=1)),
    "seed": partial(_read_setting, partial(_whole_number, least=0)),
    "reports": _made_folder,
}


class _Session:
    """What a test run that uses an option does besides."""

    def __init__(self, chosen: Options, folder: Path | None) -> None:
        self.chosen = chosen
        """The settings that were given; they are defaults for each check."""
        self._folder = folder
        self._outcomes: Counter[str] = Counter()
        self._collector: Collector | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        from verifier.checking.defaults import Defaults, use_defaults
        from verifier.commands.pytest_plugin.collect import Collector

        self._collector = Collector(item.nodeid, self._folder)
        with use_defaults(Defaults(**self.chosen, reports=self._collector.add)):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        # It travels with the report from the worker of a distributed run to the one that counts.
        report.verifier = self._collector.take() if self._collector else []  # type: ignore[attr-defined]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._outcomes.update(getattr(report, "verifier", ()))

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        from verifier.commands.pytest_plugin.collect import outcomes_text
        from verifier.errors import printable

        place = "" if self._folder is None else f"; reports in {_path_text(self._folder, config)}"
        terminalreporter.write_line(printable(f"verifier: {outcomes_text(self._outcomes)}{place}"))


def _path_text(path: Path, config: pytest.Config) -> str:
    try:
        return str(path.relative_to(config.invocation_params.dir))
    except ValueError:
        return os.fspath(path)


def _chosen_settings(config: pytest.Config) -> Options:
    session = config.pluginmanager.get_plugin(_SESSION)
    return {} if session is None else session.chosen


@pytest.fixture
def check_gradients(pytestconfig: pytest.Config) -> Callable[..., CheckReport]:
    """`verifier.check` with the options of this test run where the test says nothing: returns the
    report.
    """
    return partial(_call_with_settings, verifier.check, _chosen_settings(pytestconfig))


@pytest.fixture
def assert_gradients(pytestconfig: pytest.Config) -> Callable[..., CheckReport]:
    """`verifier.assert_gradients` with the options of this test run where the test says nothing.

    It returns the report, or fails with the report as its message.
    """
    return partial(_call_with_settings, verifier.assert_gradients, _chosen_settings(pytestconfig))


def _call_with_settings(
    function: Callable[..., CheckReport], chosen: Options, target: UserValue, **given: UserValue
) -> CheckReport:
    return function(target, **{**chosen, **given})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a gradient's failure as its report alone, without a traceback into verifier."""
    report = yield
    if (
        call.excinfo
        and report.failed
        and not item.config.getoption("fulltrace")
        and _is_judgement(call.excinfo.value)
    ):
        report.longrepr = _report_without_traceback(call.excinfo, item.config)
    return report


def _is_judgement(error: BaseException) -> bool:
    errors = sys.modules.get(
        "verifier.errors"
    )  # where it was never imported, nothing of it is raised
    return errors is not None and isinstance(error, (errors.GradientError, errors.InputError))


def _report_without_traceback(
    failure: pytest.ExceptionInfo[BaseException], config: pytest.Config
) -> ExceptionRepr:
    """The message and the line of the test: no traceback into verifier."""
    place = _traceback_in_test(failure.tb)
    shown = pytest.ExceptionInfo.from_exc_info((failure.type, failure.value, place)).getrepr(
        style="value", chain=False
    )
    if shown.reprcrash is not None:
        shown.reprcrash.message = str(failure.value)
        where = _path_text(Path(shown.reprcrash.path), config)
        entry = shown.reprtraceback.reprentries[-1]
        entry.lines = [*entry.lines, "", f"{where}:{shown.reprcrash.lineno}: {failure.typename}"]
    return shown


def _traceback_in_test(traceback: TracebackType) -> TracebackType:
    """The place from which verifier was called, but for helpers that hide themselves.

    Python's own library, which verifier calls on its way, is none of it.
    """
    found, walk = traceback, traceback.tb_next
    while walk is not None and _PACKAGE not in Path(walk.tb_frame.f_code.co_filename).parents:
        if not walk.tb_frame.f_locals.get("__tracebackhide__"):
            found = walk
        walk = walk.tb_next
    return TracebackType(None, found.tb_frame, found.tb_lasti, found.tb_lineno)
