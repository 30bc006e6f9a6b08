"""Special functions in ball arithmetic, beside their definitions."""

import pytest
from flint import arb

from verifier.operations.table import TABLE
from verifier.program.evaluation.arithmetic import precision

log_ndtr = TABLE["log_ndtr"].arb


@pytest.mark.parametrize("number", [-100.0, -100.5, -150.0, -1000.0])
def test_both_ways_to_the_logarithm_of_a_tail_meet(number):
    """On the left of -100 it is taken by another function; the definition still has digits
    there.
    """
    with precision(200):
        defined = ((-arb(number) / arb(2).sqrt()).erfc() / 2).log()
        assert log_ndtr(arb(number)).overlaps(defined)
        assert log_ndtr(arb(number)).rel_accuracy_bits() > 150
        assert not log_ndtr(arb(number)).overlaps(defined * (1 + arb(2) ** -100))


def test_the_logarithm_of_a_tail_far_to_the_left():
    """-x²/2 - log(|x| √(2π)) - 1/x² + ... (DLMF 7.12.1)."""
    with precision(200):
        far = arb(-1e8)
        leading = -far * far / 2 - (abs(far) * (2 * arb.pi()).sqrt()).log()
        assert abs(log_ndtr(far) - leading) < 2 / far**2
        assert log_ndtr(far).rel_accuracy_bits() > 100
