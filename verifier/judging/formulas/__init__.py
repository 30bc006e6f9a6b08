"""The judge of a formula: the numbers that code states of its value and its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from flint import arb

from verifier.judging.formulas.ties import Ties, ties_of
from verifier.judging.outcome import Note
from verifier.judging.verdict import Case, Verdicts
from verifier.operations.arrays import Floats, Indices, Truths
from verifier.operations.formats import Format
from verifier.program.evaluation.arithmetic import balls, largest_size, middle, precision, radius
from verifier.program.evaluation.proved_allowance import Rounded, rounded, rounding_reach
from verifier.program.evaluation.term_sizes import term_sizes
from verifier.program.program import Program
from verifier.witnesses import FIRST_PRECISION, Arguments, Enclosure, enclose


@dataclass(frozen=True)
class Judge:
    """Judges statements of a program's results made in a floating-point format."""

    program: Program
    format: Format
    library: str = "torch"
    """Whose budgets of rounding hold: torch or numpy."""
    data: frozenset[str] = frozenset()
    """The symbols that are data: a tie between them is no kink."""

    def verdicts(
        self, arguments: Arguments, stated: Sequence[Floats], symbolic: Sequence[Floats]
    ) -> list[Verdicts]:
        """For each result of the program, the statements at all points judged.

        `arguments` are float64 arrays by name, of shape (points, rows), whose entries are floats of
        the format. `stated` and `symbolic` have a float64 array of shape (points,) for each result.
        """
        finite = {
            name: np.where(np.isfinite(values), values, 0.0) for name, values in arguments.items()
        }
        usable = np.all([np.isfinite(values).all(axis=-1) for values in arguments.values()], axis=0)
        points = {name: balls(values) for name, values in finite.items()}
        with precision(FIRST_PRECISION):
            honest = rounded(self.program, self.format, self.library, points, self.data)
        within = [
            np.maximum(radius(result.ball) / 1000.0, self.format.smallest_subnormal)
            for result in honest
        ]
        enclosures = enclose(self.program, points, within)
        # Where the value does not exist, what its derivative's formula gives there means nothing.
        defined = np.isfinite(enclosures[0].radius)
        terms = [
            np.broadcast_to(np.ravel(size), usable.shape)
            for size in term_sizes(self.program, finite)
        ]
        with precision(FIRST_PRECISION):
            components = [
                _Component(self.format, usable, defined, *columns)
                for columns in zip(stated, symbolic, honest, enclosures, within, terms, strict=True)
            ]
            value, *derivatives = components
            exactly = self._exact_ties(finite, components)
            if exactly is None:
                return [component.verdicts() for component in components]
            return [value.verdicts(), *map(_Component.verdicts_with, derivatives, exactly)]

    def _exact_ties(
        self, arguments: Arguments, components: Sequence[_Component]
    ) -> list[_TiesAtPoints] | None:
        """What is right of each derivative at the points where comparisons tie, and rounding
        decides none; None where there are no such points.
        """
        value, *derivatives = components
        border = np.any([one.border for one in derivatives], axis=0)
        at = np.flatnonzero(border & value.usable & value.defined & ~value.honest.unsure)
        if not at.size:
            return None
        there = {name: values[at] for name, values in arguments.items()}
        by = [name for name in there if name not in self.data]
        formats = dict.fromkeys(there, self.format)
        given = {name: balls(values) for name, values in there.items()}
        _, *reaches = rounding_reach(self.program, self.format, self.library, given, self.data)
        stated = [one.stated[at] for one in derivatives]
        found = ties_of(self.program, there, formats, by, stated, reaches)
        if found is None:
            return None
        return [_TiesAtPoints(at, ties, reach) for ties, reach in zip(found, reaches, strict=True)]


@dataclass(frozen=True, eq=False)
class _Component:
    """What is known of one result at each point, and what follows from it."""

    format: Format
    usable: Truths
    defined: Truths
    stated: Floats
    symbolic: Floats
    honest: Rounded
    enclosure: Enclosure
    within: Floats
    terms: Floats

    @property
    def border(self) -> Truths:
        return np.asarray(self.honest.border & (self.within < np.inf))

    @property
    def case(self) -> Case:
        """What the statements are compared with."""
        width = self.enclosure.radius
        known = self.usable & self.defined & np.isfinite(width) & (width <= self.within)
        reference = self.enclosure.ball
        if self.border.any():
            # At a kink the reference is the middle of the one-sided derivatives' hull.
            reference = np.where(self.border, _midpoints(self.honest.ball), reference)
        certain = np.asarray(np.equal(self.honest.ball, reference), dtype=bool)
        allowed = np.where(certain, 0.0, largest_size(self.honest.ball - reference))
        return Case(
            self.format,
            self.stated,
            self.symbolic,
            reference,
            known,
            allowed,
            self.terms,
            self.border,
            self.usable,
        )

    def verdicts(self) -> Verdicts:
        return self.case.verdicts()

    def verdicts_with(self, ties: _TiesAtPoints) -> Verdicts:
        """The verdicts where comparisons tie at some points."""
        verdicts = ties.case(self.case).verdicts()
        no_mean = ties.everywhere(ties.ties.off, verdicts.failing)
        cancels = ties.everywhere(ties.ties.cancelled, verdicts.failing)
        return verdicts.with_note(no_mean, Note.NO_MEAN).with_note(cancels, Note.CANCELS)


@dataclass(frozen=True, eq=False)
class _TiesAtPoints:
    """What is right of a derivative at some points."""

    at: Indices
    """The places of the points."""
    ties: Ties
    """An entry for each of them."""
    rounding: Floats
    """How far rounding can move it there within one branch."""

    def case(self, case: Case) -> Case:
        """The case with what is right where comparisons tie."""
        at, ties = self.at[self.ties.where], self.ties
        reference, allowed = case.reference.copy(), case.allowed.copy()
        kink, terms = np.array(case.kink), case.terms.copy()
        reference[at] = ties.right[ties.where]
        allowed[at] = (self.rounding + ties.reach)[ties.where]
        kink[at] = ties.kink[ties.where]
        # The terms of the branch at the tie may all be 0.
        terms[at] = np.maximum(terms[at], np.abs(middle(ties.right[ties.where])))
        return replace(case, reference=reference, allowed=allowed, kink=kink, terms=terms)

    def everywhere(self, found: Truths, failing: Truths) -> Truths:
        """Where it was found among all points, and the statement fails: `found` has an entry for
        each point of these, `failing` and the result for each point of all.
        """
        mask = np.zeros(failing.shape, dtype=bool)
        mask[self.at] = found & self.ties.where
        return mask & failing


_midpoints = np.frompyfunc(arb.mid, 1, 1)
