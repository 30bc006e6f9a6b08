"""Which failures of a check are one: a wrong gradient, and what is wrong because of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.checking.check_result import WrongWhere
from verifier.checking.labels import words_text
from verifier.checking.tally.components import CheckComponent, Place, Statement
from verifier.checking.tally.count import CheckTally, Tally
from verifier.judging.finding import CheckCause
from verifier.judging.outcome import Outcome

BOTH = "both"
"""The check that compares reverse mode with forward mode, and its component."""
MOST_CIRCUMSTANCES = 1
"""At most so many are named."""
_LAYOUTS = ("strided", "expanded", "structured", "undefined")


@dataclass(frozen=True, eq=False)
class Failure:
    """A quantity that disagrees, in each dtype in which it does, and what follows from that."""

    components: tuple[CheckComponent, ...]
    """Of one name and quantity; the one to show comes first."""
    causes: tuple[CheckCause, ...] = ()
    alike: tuple[str, ...] = ()
    """The names of other gradients that are wrong for the same causes."""
    derived: tuple[CheckComponent, ...] = ()
    """Derivatives that are wrong because this gradient is."""

    @property
    def first(self) -> CheckComponent:
        """What is shown of it."""
        return self.components[0]

    @property
    def quantity(self) -> str:
        """That of the component that is shown: value, reverse, forward or second."""
        return self.first.quantity

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs by which the gradient is wrong."""
        return (self.first.name, *self.alike)

    @cached_property
    def place(self) -> Place | None:
        """The number that is shown: one that a cause explains, where one is known."""
        explained = [
            one.worst
            for cause in self.causes
            for component in self.components
            for one in component.statements
            if _is_explained(one, cause)
        ]
        checks = [place.finding.check for place in self._failing]
        return min(
            explained,
            key=lambda one: (
                not one.is_simplified,
                checks.index(one.finding.check),
                0.0 if one.finding.circumstance.text else -one.ratio,
            ),
            default=self.first.shown,
        )

    @property
    def _failing(self) -> list[Place]:
        return [
            one.worst
            for component in self.components
            for one in component.statements
            if one.part.outcome is Outcome.DISAGREES
        ]

    @property
    def likely(self) -> tuple[CheckCause, ...]:
        """The causes that explain the number that is shown."""
        place = self.place
        if place is None:
            return ()
        return tuple(one for one in self.causes if _is_explained(place.statement, one))

    @cached_property
    def checks(self) -> tuple[str, ...]:
        """The names of the checks that find it, in the order of the checks."""
        return tuple(dict.fromkeys(
            one.finding.check
            for component in self.components
            for one in component.statements
            if one.part.outcome is Outcome.DISAGREES
        ))  # fmt: skip

    @property
    def layouts(self) -> tuple[str, ...]:
        """The checks of other layouts in which the same gradient is wrong as well."""
        return tuple(name for name in self.checks[1:] if name in _LAYOUTS)

    @property
    def second_derivatives(self) -> int:
        """How many second derivatives are wrong because of it."""
        return sum(
            one.outcomes[Outcome.DISAGREES] for one in self.derived if one.quantity == SECOND
        )

    @property
    def is_wrong_in_forward_mode(self) -> bool:
        """Whether forward mode is wrong for the same cause."""
        return any(one.quantity == FORWARD and one.name != BOTH for one in self.derived)

    @property
    def modes_differ(self) -> bool:
        """Whether reverse and forward mode state different derivatives because of it."""
        return any(one.name == BOTH for one in self.derived)


def failures_of(tally: Tally) -> tuple[Failure, ...]:
    """What disagrees in `tally`, the worst first; what follows from a failure is part of it.

    A second derivative follows from the gradient that it is derived from. Forward mode follows from
    a gradient that is wrong for the same cause, and the comparison of both modes from either.
    """
    every = [_Group(same, causes_of(tally, same)) for same in tally.failing]
    wrong = {group.name for group in every if group.is_gradient}
    own = [group for group in every if not _follows(group, every, wrong)]
    first_of: dict[object, _Group] = {}
    for group in own:
        first_of.setdefault(group.reason, group)
    heads = list(first_of.values())
    return tuple(_failure(head, heads, own, every) for head in heads)


@dataclass(frozen=True, eq=False)
class _Group:
    """A component that disagrees in its dtypes, with its causes."""

    components: tuple[CheckComponent, ...]
    causes: tuple[CheckCause, ...]

    @property
    def name(self) -> str:
        return self.components[0].name

    @property
    def quantity(self) -> str:
        return self.components[0].quantity

    @property
    def is_gradient(self) -> bool:
        return self.quantity == REVERSE and any(
            one.finding.check == REVERSE and one.part.outcome is Outcome.DISAGREES
            for component in self.components
            for one in component.statements
        )

    @property
    def states_derivatives(self) -> bool:
        """Whether it is a gradient, or the derivative in forward mode."""
        return self.is_gradient or self.quantity == FORWARD

    @property
    def cause_names(self) -> frozenset[str]:
        return frozenset(cause.cause for cause in self.causes)

    @property
    def reason(self) -> object:
        """Equal for gradients that are wrong for the same causes; else its own."""
        return self.cause_names if self.is_gradient and self.causes else id(self)

    @property
    def differentiated(self) -> str:
        """Of a second derivative the input whose gradient is derived."""
        return self.name.partition(" ")[0]


def _follows(group: _Group, every: Sequence[_Group], wrong: set[str]) -> bool:
    if group.quantity == SECOND:
        return group.differentiated in wrong
    if group.quantity != FORWARD:
        return False
    if group.name == BOTH:
        return any(one is not group and one.states_derivatives for one in every)
    named = {name for one in every if one.is_gradient for name in one.cause_names}
    return bool(group.causes) and group.cause_names <= named


def _failure(
    head: _Group, heads: Sequence[_Group], own: Sequence[_Group], every: Sequence[_Group]
) -> Failure:
    alike = tuple(one.name for one in own if one is not head and one.reason == head.reason)
    failure = Failure(head.components, head.causes, alike)
    derived = (
        component
        for one in every
        if one not in own and _head_of(one, heads, own) is head
        for component in one.components
    )
    return replace(failure, derived=tuple(derived))


def _head_of(follower: _Group, heads: Sequence[_Group], own: Sequence[_Group]) -> _Group:
    """The failure that the follower stands below."""
    source = next((one for one in own if _is_source(one, follower)), own[0] if own else heads[0])
    return next(head for head in heads if head.reason == source.reason)


def _is_source(one: _Group, follower: _Group) -> bool:
    if follower.quantity == SECOND:
        return one.quantity == REVERSE and one.name == follower.differentiated
    return one.is_gradient and follower.cause_names <= one.cause_names


def causes_of(tally: Tally, same: Sequence[CheckComponent]) -> tuple[CheckCause, ...]:
    """The causes that `tally` has for one component, each once; `same` is that component in each of
    its dtypes.
    """
    names = {name for component in same for name in (component.name, *component.part_names)}
    dtypes = {"", *(component.dtype for component in same)}
    own = [
        cause
        for cause in tally.checked.causes
        if cause.component in names and cause.dtype in dtypes
    ]
    simplest = tally.checked.simplest
    number = simplest.number if simplest else 0
    first = sorted(own, key=lambda cause: cause.point != number)
    return tuple({cause.cause: cause for cause in reversed(first)}.values())[::-1]


def failing_checks(tally: Tally) -> list[CheckTally]:
    """The checks in `tally` in which something apart from numbers is wrong."""
    return [one for one in tally.checks if one.failing]


def sentences_apart(one: CheckTally) -> dict[str, list[int]]:
    """What a check says that fails apart from numbers, and the numbers of the points where."""
    found: dict[str, list[int]] = {}
    for finding in one.failing:
        for sentence in finding.failures:
            points = found.setdefault(sentence, [])
            points.extend([finding.point.number] if finding.point else [])
    return found


def _is_explained(statement: Statement, cause: CheckCause) -> bool:
    """Whether a cause was found for just these numbers; what it leaves open is anything."""
    finding = statement.finding
    number = 0 if finding.point is None else finding.point.number
    asked = (cause.check, cause.dtype, cause.point, cause.component)
    here = (finding.check, finding.dtype, number, statement.part.name)
    return (
        all(one in ("", 0, other) for one, other in zip(asked, here, strict=True))
        and cause.circumstance == finding.circumstance.text
        and statement.part.outcome is Outcome.DISAGREES
    )


def where_it_fails(failure: Failure, known: Sequence[WrongWhere] = ()) -> str:
    """What all that is wrong has in common, and at how many of the points that were tried it is
    wrong, in which dtypes.
    """
    only = _only(failure, known)
    counted = _points_text(failure)
    return "; ".join(filter(None, (f"only {only}" if only else "", counted)))


def _only(failure: Failure, known: Sequence[WrongWhere]) -> str:
    """Under which circumstances alone it is wrong, or where."""
    own = {(one.name, one.quantity, one.dtype) for one in failure.components}
    found = [one.text for one in known if (one.component, one.quantity, one.dtype) in own]
    used = words_text(_circumstances(failure), most=MOST_CIRCUMSTANCES)
    return (found[0] if found and not (used and "grad_output" not in found[0]) else "") or used


def _circumstances(failure: Failure) -> list[str]:
    """Those in which it is wrong, the shown one first."""
    shown = [failure.place] if failure.place is not None else []
    if not all(one.finding.circumstance.text for one in shown):
        return []
    texts = (one.finding.circumstance.text for one in (*shown, *failure._failing))
    return list(dict.fromkeys(filter(None, texts)))


def _points_text(failure: Failure) -> str:
    """At how many of the points it is wrong, in which dtypes.

    Simpler points do not count: they were looked for because it fails there.
    """
    counts = {one.dtype: points for one in failure.components if (points := _points(one))[1]}
    dtypes = words_text(list(counts))
    if not counts:
        return ""
    if all(wrong == tried for wrong, tried in counts.values()):
        only = all(tried == 1 for _, tried in counts.values())
        if failure.place is not None and failure.place.finding.circumstance.text:
            return f"in {dtypes}"
        return f"at {'the only' if only else 'every'} point tried, in {dtypes}"
    edges = ", all of them edges" if _is_at_edges_only(failure) else ""
    if len(set(counts.values())) == 1:
        wrong, tried = next(iter(counts.values()))
        return f"at {wrong} of {tried} points, in {dtypes}{edges}"
    phrases = (f"{wrong} of {tried} points in {dtype}" for dtype, (wrong, tried) in counts.items())
    return f"at {', '.join(phrases)}{edges}"


def _points(component: CheckComponent) -> tuple[int, int]:
    """At how many points it is wrong, and at how many it was tried."""
    tried = list(_tried(component))
    return len({one.number for one in tried if one.fails}), len({one.number for one in tried})


@dataclass(frozen=True)
class _Try:
    number: int
    kind: str
    fails: bool


def _tried(component: CheckComponent) -> Iterator[_Try]:
    shown = component.shown
    for one in component.statements:
        point = one.finding.point
        if point is None or point.kind == "simplified" or shown is None:
            continue
        if one.finding.check == shown.finding.check:
            yield _Try(point.number, point.kind, one.part.outcome is Outcome.DISAGREES)


def _is_at_edges_only(failure: Failure) -> bool:
    tried = [one for component in failure.components for one in _tried(component)]
    return {one.kind for one in tried if one.fails} == {"edge"} != {one.kind for one in tried}
