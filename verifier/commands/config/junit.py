"""The targets of a file as JUnit's XML, which CI systems show as tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from rich.text import Text

from verifier.commands.config.report import ConfigReport, TargetResult
from verifier.errors import printable

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to write."""


def junit_xml(report: ConfigReport) -> str:
    """A test suite with a case for each target.

    A target that disagrees or is undecided is a failure, with the report as its text; one that has
    no verdict is an error.
    """
    cases = [_case(result) for result in report.results]
    suite = ET.Element("testsuite", {
        "name": "verifier",
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "time": f"{sum(result.seconds for result in report.results):.3f}",
    })  # fmt: skip
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(result: TargetResult) -> ET.Element:
    file, mark, name = result.target.rpartition("::" if "::" in result.target else ":")
    case = ET.Element("testcase", {
        "classname": _legal(file if mark else "verifier"),
        "name": _legal(name),
        "time": f"{result.seconds:.3f}",
    })  # fmt: skip
    if result.exit_code:
        has_verdict = result.exit_code in (1, 3)
        kind = "failure" if has_verdict else "error"
        message = result.sentence or result.reason or next(result.remarks, result.outcome)
        found = ET.SubElement(
            case, kind, {"type": _legal(result.outcome), "message": _legal(message)}
        )
        found.text = _legal("\n".join([*result.remarks, plain_text(result)]))
    return case


def plain_text(result: TargetResult) -> str:
    """The report of a target without colours."""
    return Text.from_ansi(result.form("text")).plain


def _legal(text: str) -> str:
    return _ILLEGAL.sub("?", "\n".join(map(printable, text.split("\n"))))
