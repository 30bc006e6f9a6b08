"""Candidates: points around a given one at which code may go wrong, of every kind in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from verifier.checking.edge_cases.arrangements import arrangements, combinations
from verifier.checking.edge_cases.domain import Domain
from verifier.checking.edge_cases.edge_points import Point, make_edge_points
from verifier.checking.edge_cases.edges import ProgramEdges
from verifier.operations.formats import Format


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A point, and where its inputs may lie."""

    base: Mapping[str, torch.Tensor]
    domains: Mapping[str, Domain]
    """Of the inputs that may take other numbers; each has numbers of the format."""
    format: Format

    def drawn(self, seed: int) -> Iterator[Point]:
        """Points drawn from the domains, without end."""
        generator = torch.Generator().manual_seed(seed)
        while True:
            point = dict(self.base)
            for name, domain in self.domains.items():
                low, high = domain.ends(self.format)
                like = self.base[name]
                shares = torch.rand(like.shape, generator=generator, dtype=torch.float64)
                point[name] = (low * (1 - shares) + high * shares).clamp(low, high).to(like)
            yield point


def candidate_points(
    around: Surroundings, edges: ProgramEdges, seed: int, most: int
) -> list[Point]:
    """So many points: those where something happens in the program, numbers in a certain relation
    to each other, combinations of branches, and points drawn at random.

    The random ones are as many as are left of `most`, and a sixth of it at least.
    """
    base = around.base
    found = list(
        islice(
            _in_turns(
                [
                    arrangements(base, around.domains, around.format),
                    combinations(edges.pieces, base),
                    iter(make_edge_points(edges.values, base, most)),
                ]
            ),
            most - most // 6,
        )
    )
    return [*found, *islice(around.drawn(seed), most - len(found))]


def _in_turns(kinds: Sequence[Iterator[Point]]) -> Iterator[Point]:
    """One of each kind after the other, until none has any left."""
    waiting = list(kinds)
    while waiting:
        for kind in tuple(waiting):
            point = next(kind, None)
            if point is None:
                waiting.remove(kind)
            else:
                yield point
