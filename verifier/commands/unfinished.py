"""The report of what was not judged to its end: what was decided before, and why it goes no
further.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, NotRequired, TypedDict

from markupsafe import escape

from verifier.process.workers.messages import Rendered
from verifier.process.workers.supervisor import End, Ending
from verifier.reporting.data.document import FORMAT, ExitCode, Head, versions
from verifier.reporting.rendering import Forms, json_text
from verifier.reporting.text.markdown import code, escaped_text

PLACE = "<!-- unfinished -->"
"""Where a page says why it ends early."""
_CODES = {End.FINISHED: 0, End.INTERRUPTED: 130, End.FAILED: 4}
"""Of endings; 2 for all others."""
_HEADINGS = {
    End.REFUSED: "NOT USABLE",
    End.FAILED: "INTERNAL ERROR",
    End.INTERRUPTED: "INTERRUPTED",
    End.DIED: "DIED",
    End.OUT_OF_TIME: "OUT OF TIME",
    End.OUT_OF_MEMORY: "OUT OF MEMORY",
}


class Early(TypedDict):
    """How what was not judged to its end came to an end."""

    ok: Literal[False]
    exit_code: ExitCode
    partial: Literal[True]
    reason: str
    """A sentence."""


class UnfinishedDocument(Head, Early):
    """Nothing was decided: what was to be judged could not be used, or ended the process."""

    command: Annotated[str, Literal["train", "check", "explain", "show", "lesson", "selftest"]]
    target: NotRequired[str]
    """What was to be judged, as it was typed."""
    outcome: None
    internal_errors: list[str]
    """The tracebacks of errors of verifier's own."""


def exit_code_of(ending: Ending) -> int:
    """The exit code of a task that ended so.

    It is that of the report where that is whole, or says that something disagrees.
    """
    known = ending.report.exit_code if ending.report is not None else None
    if known is not None and ending.end in (End.FINISHED, End.INTERRUPTED):
        return known if ending.end is End.FINISHED else 130
    if known == 1 and ending.end is not End.FAILED:
        return 1
    return _CODES.get(ending.end, 2)


def ending_sentence(ending: Ending) -> str:
    """Why it goes no further, and whether anything was decided."""
    before = "" if ending.report is None else "; the report has what was decided before"
    return f"{ending.sentence}{before}"


def unfinished_report(
    ending: Ending, command: str, subject: Mapping[str, str], forms: Forms
) -> Rendered:
    """The report in those forms; `subject` is what stands in JSON for what was to be judged."""
    code_ = exit_code_of(ending)
    known = ending.report or Rendered(code_, {})
    return replace(
        known, exit_code=code_, forms=_unfinished_forms(ending, code_, command, subject, forms)
    )


def _unfinished_forms(
    ending: Ending, code_: int, command: str, subject: Mapping[str, str], forms: Forms
) -> dict[str, str]:
    known = ending.report or Rendered(code_, {})
    found: dict[str, str] = {}
    if forms.text and "text" in known.forms:
        found["text"] = f"{known.forms['text']}\n{_HEADINGS[ending.end]}  {ending.sentence}"
    if forms.json:
        found["json"] = _unfinished_json(ending, code_, command, subject, known)
    if forms.html:
        found["html"] = _unfinished_html(ending, subject, known)
    if forms.markdown:
        found["markdown"] = _unfinished_markdown(ending, subject, known)
    return found


def complete_forms(
    report: Rendered, command: str, subject: Mapping[str, str], forms: Forms
) -> Rendered:
    """The report with something in place of each form that could not be made: the verdict
    stands.
    """
    error = (report.facts.get("failed") or ("",))[-1]
    outcome = str(report.facts.get("outcome") or f"exit code {report.exit_code}")
    sentence = f"the report cannot be shown; the verdict stands: {outcome}"
    nothing = replace(report, forms={"text": outcome.upper()})
    ending = Ending(End.FAILED, nothing, sentence, traceback=error)
    others = _unfinished_forms(ending, report.exit_code, command, subject, forms)
    return replace(report, forms={**others, **report.forms})


def _unfinished_markdown(ending: Ending, subject: Mapping[str, str], known: Rendered) -> str:
    title = f"❌ **{_HEADINGS[ending.end]}** {escaped_text(ending.sentence)}"
    if "markdown" in known.forms:
        return f"{title}\n\n{known.forms['markdown']}"
    return "\n\n".join([title, *map(code, subject.values())])


def _unfinished_json(
    ending: Ending, code_: int, command: str, subject: Mapping[str, str], known: Rendered
) -> str:
    if "json" in known.forms:
        document = json.loads(known.forms["json"])
    else:
        begun = {"format": FORMAT, "command": command, "versions": versions()}
        document = {**begun, **subject, "outcome": None}
    errors = [*document.get("internal_errors", ()), *filter(None, [ending.traceback])]
    end: Early = {"ok": False, "exit_code": code_, "partial": True, "reason": ending.sentence}
    return json_text({**document, **end, "internal_errors": errors})


def _unfinished_html(ending: Ending, subject: Mapping[str, str], known: Rendered) -> str:
    heading, sentence = _HEADINGS[ending.end], escape(ending.sentence)
    why = f"<p><strong>{heading}</strong> {sentence}</p>"
    if "html" in known.forms:
        return known.forms["html"].replace(PLACE, why, 1)
    title = escape(", ".join(subject.values()) or "verifier")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">\n'
        f"<title>{title}: not judged</title>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f"{why}\n<p>Nothing was decided.</p>\n</main>\n</body>\n</html>\n"
    )
