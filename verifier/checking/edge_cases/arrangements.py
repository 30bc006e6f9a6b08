"""Arrangements: points at which numbers stand in a certain relation to each other, which no single
edge value brings about: sorted, all of one sign, equal far apart, one of them the largest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, product

import torch

from verifier.checking.edge_cases.domain import Domain
from verifier.checking.edge_cases.edge_points import Point
from verifier.operations.formats import Format

MOST_PAIRS = 256
"""So many pairs of numbers stand beside each other at most."""
MOST_EXTREMES = 96
"""So many elements stand alone at an end of their domain, spread over an input."""


def arrangements(
    base: Mapping[str, torch.Tensor], domains: Mapping[str, Domain], format: Format
) -> Iterator[Point]:
    """Points whose inputs have the numbers of the base, or the ends of their domains, in another
    order or with other signs. What lies outside a domain keeps its number.

    >>> from verifier.operations.formats import FLOAT32
    >>> base = {"x": torch.tensor([0.5, -1.5, 1.0])}
    >>> found = arrangements(base, {"x": Domain(-2.0, 2.0)}, FLOAT32)
    >>> next(found)["x"].tolist()
    [0.5, 1.5, 1.0]
    """
    moving = {name: domain for name, domain in domains.items() if base[name].numel()}
    together = [dict(_rearranged(base[name], domain)) for name, domain in moving.items()]
    for kind in dict.fromkeys(chain.from_iterable(together)):
        changed = {
            name: one[kind] for name, one in zip(moving, together, strict=True) if kind in one
        }
        yield {**base, **_kept_inside(changed, base, moving)}
    for name, domain in moving.items():
        for array in _extremes(base[name], domain.ends(format)):
            yield {**base, name: array}


def _rearranged(tensor: torch.Tensor, domain: Domain) -> Iterator[tuple[str, torch.Tensor]]:
    """By kind."""
    flat = tensor.detach().reshape(-1)
    yield "positive", tensor.abs()
    yield "negative", -tensor.abs()
    if len(flat) > 1:
        yield "rising", flat.sort().values.reshape(tensor.shape)
        yield "falling", flat.sort(descending=True).values.reshape(tensor.shape)
    for period in dict.fromkeys((len(flat) // 2, len(flat) - 1, 2, 3)):
        if 1 < period < len(flat):
            again = flat[torch.arange(len(flat), device=flat.device) % period]
            yield f"period {period}", again.reshape(tensor.shape)
    if tensor.ndim > 1 and 0.0 in domain and 1.0 in domain:
        same = torch.eye(*tensor.shape[-2:], dtype=tensor.dtype, device=tensor.device)
        yield "identity", same.expand(tensor.shape).clone()


def _extremes(tensor: torch.Tensor, ends: tuple[float, float]) -> Iterator[torch.Tensor]:
    """Each element in turn at an end; of many some, spread evenly."""
    step = -(-2 * tensor.numel() // MOST_EXTREMES)
    for place in range(0, tensor.numel(), step):
        for end in reversed(ends):
            array = tensor.detach().clone(memory_format=torch.contiguous_format)
            array.view(-1)[place] = end
            yield array


def _kept_inside(
    changed: Point, base: Mapping[str, torch.Tensor], domains: Mapping[str, Domain]
) -> Point:
    return {
        name: torch.where(
            (tensor > domains[name].low) & (tensor < domains[name].high), tensor, base[name]
        )
        for name, tensor in changed.items()
    }


def combinations(
    pieces: Mapping[str, Sequence[float]], base: Mapping[str, torch.Tensor]
) -> Iterator[Point]:
    """Points in which every combination of these numbers stands somewhere: of the inputs' at the
    same place, then of neighbours in one input.

    >>> base = {"x": torch.zeros(2), "y": torch.zeros(2)}
    >>> first = next(combinations({"x": (1.0, 2.0), "y": (5.0,)}, base))
    >>> first["x"].tolist(), first["y"].tolist()
    ([1.0, 2.0], [5.0, 5.0])
    """
    known = {name: numbers for name, numbers in pieces.items() if numbers and base[name].numel()}
    if len(known) > 1:
        joint = list(islice(product(*known.values()), MOST_PAIRS))
        yield from _in_turns(dict(zip(known, zip(*joint, strict=True), strict=True)), base)
    for name, numbers in known.items():
        if base[name].numel() > 1 and len(numbers) > 1:
            pairs = islice(product(numbers, repeat=2), MOST_PAIRS)
            yield from _in_turns({name: tuple(chain.from_iterable(pairs))}, base)


def _in_turns(
    numbers: Mapping[str, Sequence[float]], base: Mapping[str, torch.Tensor]
) -> Iterator[Point]:
    """The elements take the numbers one after the other, until all have been taken."""
    length = max(map(len, numbers.values()))
    least = min(base[name].numel() for name in numbers)
    for start in range(0, length, least):
        point = dict(base)
        for name, own in numbers.items():
            tensor = base[name]
            taken = [own[(start + place) % len(own)] for place in range(tensor.numel())]
            array = torch.tensor(taken, dtype=torch.float64).reshape(tensor.shape)
            point[name] = array.to(tensor)
        yield point
