"""Random formulas of arrays: every gradient against the scalar derivation, entry by entry."""

from collections import Counter

import pytest

from tests.program.array_operations.entry_by_entry import Compared, disagreements
from tests.program.array_operations.random_formulas import random_case
from tests.program.array_operations.written_out import DEFINITIONS
from verifier.program.array_operations.broadcasting import ExpandLike
from verifier.program.array_operations.movement import Put
from verifier.program.array_operations.products import Product
from verifier.program.array_operations.reductions import Count
from verifier.program.program import ARRAY

SEEDS = range(120)


@pytest.mark.sweep(one_in=4)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_formula_has_the_gradient_of_its_entries(seed):
    assert disagreements(random_case(seed), seed) == []


def test_the_random_formulas_have_every_operation():
    counted = Counter(
        type(node.payload)
        for seed in SEEDS
        for node in Compared(random_case(seed)).program.nodes
        if node.operation == ARRAY
    )
    only_in_gradients = {Count, ExpandLike, Put}
    for operation in set(DEFINITIONS) - only_in_gradients:
        assert counted[operation], operation


def test_a_wrong_rule_is_found_by_them(monkeypatch):
    right = Product.adjoint

    def adjoint(self, build, node, position, adjoint):
        found = right(self, build, node, position, adjoint)
        return build.apply("negative", found) if position else found

    monkeypatch.setattr(Product, "adjoint", adjoint)
    assert any(disagreements(random_case(seed), seed) for seed in range(12))
