"""PyTorch's own collections of operators and modules: how many of them can be judged?

`python benchmarks/operators.py [words]` judges every differentiable entry of `op_db` and
`module_db` (those whose name has one of the words) in float64, float32 and bfloat16 at some small
samples of torch's own, and prints how many are decided, refused, lost. What was judged is kept in
`build/operators.jsonl`, so that a run that was cut short goes on where it ended: `--again` judges
anew what is not decided, `--anew` everything. `--write` writes `reports/operators.md`, and the list
of what is refused in `docs/limits.md`.

Each sample is judged in a process that can be lost: one that was copied from this one, where torch
is loaded, and that is ended when its time is up.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import re
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.helpers.torch_operators import MODULES, OPERATORS, Entry, entries, subjects
from verifier.capture.lowering import rules
from verifier.errors import InputError
from verifier.judging.examination import Examination, NotReplayed
from verifier.judging.examine import examine
from verifier.reporting.data.document import versions

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "operators.jsonl"
REPORT, LIMITS = ROOT / "reports" / "operators.md", ROOT / "docs" / "limits.md"
DTYPES = ("float64", "float32", "bfloat16")
SAMPLES = 2
"""So many samples of an entry: a large one and a small one."""
SECONDS = 40.0
"""How long one sample may take."""
PROCESSES = 2

AGREES, UNDECIDED, DISAGREES, REFUSED = "agrees", "undecided", "disagrees", "refused"
TIMED_OUT, CRASHED = "timed out", "crashed"
ABSENT = "absent"
"""The entry has fewer samples."""
OUTCOMES = (AGREES, UNDECIDED, REFUSED, DISAGREES, TIMED_OUT, CRASHED)
"""From good to bad: an entry is as good as the worst of its samples."""


@dataclass(frozen=True)
class Judged:
    """What came of one sample of an entry."""

    collection: str
    name: str
    dtype: str
    sample: int
    outcome: str
    reason: str = ""
    """Why it is refused, undecided or not replayed; what is wrong; how it crashed."""
    seconds: float = 0.0
    replayed: bool = False

    @property
    def entry(self) -> Entry:
        return Entry(self.collection, self.name, self.dtype)


def judged(entry: Entry, sample: int) -> Judged:
    """One sample, in this process."""
    start = time.perf_counter()
    outcome, reason, replayed = _outcome(entry, sample)
    seconds = round(time.perf_counter() - start, 2)
    place = (entry.collection, entry.name, entry.dtype, sample)
    return Judged(*place, outcome, reason, seconds, replayed)


def _outcome(entry: Entry, sample: int) -> tuple[str, str, bool]:
    chosen = subjects(entry, SAMPLES)
    if sample >= len(chosen):
        return ABSENT, "", False
    subject = chosen[sample]
    try:
        with torch.no_grad():
            subject.code(*(tensor.clone() for tensor in subject.inputs.values()))
    except Exception as error:
        kind = type(error).__name__
        return REFUSED, f"it cannot be run on a copy of its input, which raises {kind}", False
    try:
        found = examine(subject)
    except InputError as error:
        return REFUSED, str(error), False
    except Exception as error:
        return CRASHED, f"{type(error).__name__}: {error}"[:500], False
    reason, replayed = _reason(found)
    return found.outcome.value, reason, replayed


def _reason(found: Examination) -> tuple[str, bool]:
    parts = [
        f"{part.name}: {part.count(part.outcome)} of {part.verdicts.severity.size} {part.outcome}"
        + (", formula wrong" if part.wrong_formula.any() else "")
        + "".join(f" ({note})" for note in _notes(part))
        for part in found.parts
        if part.outcome.value != AGREES
    ]
    if isinstance(found.formula, NotReplayed):
        return "; ".join([f"not replayed: {found.formula.reason}", *parts]), False
    return "; ".join(parts), True


def _notes(part: Any) -> list[str]:
    from verifier.judging.verdict import Note

    worst = part.verdicts.severity == part.outcome.severity
    return sorted({list(Note)[note].value for note in part.verdicts.note[worst].tolist() if note})


class LostError(Exception):
    """The process of a sample is gone, or its time is up."""


class Worker:
    """A copy of this process, which judges one sample after another."""

    def __init__(self) -> None:
        here, there = multiprocessing.Pipe()
        self.process = os.fork()
        if self.process == 0:
            here.close()
            _serve(there)
        there.close()
        self._connection = here

    def judge(self, entry: Entry, sample: int) -> Judged:
        """Raises LostError."""
        self._connection.send((entry, sample))
        if not self._connection.poll(SECONDS):
            raise LostError(TIMED_OUT)
        try:
            return self._connection.recv()  # type: ignore[no-any-return]
        except EOFError:
            raise LostError(CRASHED) from None

    def end(self) -> None:
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)
        self._connection.close()


def _serve(connection: Any) -> None:
    """Judge what comes, and never return."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    try:
        while True:
            connection.send(judged(*connection.recv()))
    except EOFError:
        os._exit(0)
    finally:
        os._exit(1)


def judge_all(waiting: Sequence[tuple[Entry, int]]) -> Iterator[Judged]:
    """What comes of these samples, as soon as it is known."""
    shares = [waiting[place::PROCESSES] for place in range(PROCESSES)]
    results: multiprocessing.queues.Queue[Judged] = multiprocessing.Queue()
    parts = [multiprocessing.Process(target=_share, args=(part, results)) for part in shares]
    for part in parts:
        part.start()
    for _ in waiting:
        yield results.get()
    for part in parts:
        part.join()


def _share(share: Iterable[tuple[Entry, int]], results: Any) -> None:
    worker = Worker()
    for entry, sample in share:
        try:
            results.put(worker.judge(entry, sample))
        except LostError as lost:
            worker.end()
            worker = Worker()
            place = (entry.collection, entry.name, entry.dtype, sample)
            results.put(Judged(*place, str(lost), "the process was lost", SECONDS))
    worker.end()


def kept() -> dict[tuple[Entry, int], Judged]:
    """What earlier runs found; of two findings the later one."""
    if not KEPT.exists():
        return {}
    lines = KEPT.read_text(encoding="utf-8").splitlines()
    found = [Judged(**json.loads(line)) for line in lines]
    return {(one.entry, one.sample): one for one in found}


def run(asked: argparse.Namespace) -> dict[tuple[Entry, int], Judged]:
    found = {} if asked.anew and not asked.words else kept()
    wanted = [
        (entry, sample)
        for dtype in asked.dtypes
        for entry in entries(dtype)
        if not asked.words or any(word in entry.name for word in asked.words)
        for sample in range(SAMPLES)
    ]
    waiting = [one for one in wanted if asked.anew or _is_open(found.get(one), asked.again)]
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("w" if not found else "a", encoding="utf-8") as file:
        for one in judge_all(waiting):
            file.write(json.dumps(asdict(one)) + "\n")
            file.flush()
            found[one.entry, one.sample] = one
    return {place: found[place] for place in wanted}


def _is_open(known: Judged | None, again: bool) -> bool:
    return known is None or (again and known.outcome not in (AGREES, ABSENT))


def by_entry(found: Iterable[Judged]) -> dict[Entry, Judged]:
    """The worst sample of each entry."""
    worst: dict[Entry, Judged] = {}
    for one in (one for one in found if one.outcome != ABSENT):
        before = worst.get(one.entry)
        if before is None or _badness(one) > _badness(before):
            worst[one.entry] = one
    return worst


def _badness(one: Judged) -> tuple[int, bool]:
    return OUTCOMES.index(one.outcome), bool(one.reason)


def counts(worst: dict[Entry, Judged]) -> str:
    heads = ("entries", "decided", "share", *OUTCOMES, "not replayed")
    lines = [" ".join([f"{'':20s}", *(f"{head:>9s}" for head in heads)])]
    for collection in (OPERATORS, MODULES):
        for dtype in DTYPES:
            chosen = [
                one for entry, one in worst.items()
                if (entry.collection, entry.dtype) == (collection, dtype)
            ]  # fmt: skip
            if chosen:
                lines.append(_row(f"{collection} {dtype}", chosen))
    return "\n".join(lines)


def _row(title: str, chosen: Sequence[Judged]) -> str:
    number = Counter(one.outcome for one in chosen)
    decided = number[AGREES] + number[DISAGREES]
    blind = sum(one.outcome in (AGREES, DISAGREES) and not one.replayed for one in chosen)
    share = f"{decided / len(chosen):.1%}"
    columns = [len(chosen), decided, share, *(number[outcome] for outcome in OUTCOMES), blind]
    return " ".join([f"{title:20s}", *(f"{column!s:>9s}" for column in columns)])


def reasons(worst: dict[Entry, Judged]) -> str:
    """Every entry that is not decided, by outcome and reason."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry, one in worst.items():
        if one.outcome != AGREES or not one.replayed:
            groups[one.outcome, one.reason].append(str(entry))
    ordered = sorted(groups.items(), key=lambda item: (-OUTCOMES.index(item[0][0]), -len(item[1])))
    return "\n".join(
        f"{outcome}: {reason}\n    {', '.join(names)}" for (outcome, reason), names in ordered
    )


START, END = "<!-- operators: start -->\n", "<!-- operators: end -->\n"
"""Between these lines of the page of limits stands what this benchmark found."""
_WRAPPED = re.compile(r"^(the code's forward cannot be read: )?(.*?)(; give its formula.*)?$", re.S)


def written(worst: dict[Entry, Judged]) -> None:
    """The report, and what is refused in the page of limits."""
    told = ", ".join(f"{name} {number}" for name, number in versions().items())
    REPORT.write_text(
        "# PyTorch's own collections of operators and modules\n\n"
        f"Made by `python benchmarks/operators.py --write` with {told}, on {platform.machine()}.\n"
        f"Up to {SAMPLES} samples of each entry; an entry is as good as the worst of them.\n\n"
        f"```\n{counts(worst)}\n\n{reasons(worst)}\n```\n",
        encoding="utf-8",
    )
    page = LIMITS.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    _, _, behind = rest.partition(END)
    LIMITS.write_text(f"{before}{START}{refusals(worst)}{END}{behind}", encoding="utf-8")


def refusals(worst: dict[Entry, Judged]) -> str:
    """A table of what is refused: the reason, and the entries."""
    groups: dict[str, set[str]] = defaultdict(set)
    for entry, one in worst.items():
        if one.outcome == REFUSED:
            found = _WRAPPED.match(one.reason)
            groups[found[2] if found else one.reason].add(entry.name)
    rows = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = [f"| {_cell(reason)} | {_names(names)} |" for reason, names in rows]
    return "\n".join(["| why | operators and modules |", "|---|---|", *lines]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    rules()
    worst = by_entry(run(asked).values())
    print(counts(worst))
    print(reasons(worst))
    if asked.write:
        written(worst)


if __name__ == "__main__":
    main()
