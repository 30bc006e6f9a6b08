"""Honest statements of a program's value and gradient: torch's by autograd, NumPy's by the symbolic
program.
"""

import numpy as np
import torch

from verifier.judging.formulas import Judge
from verifier.program.codegen import NUMPY, TORCH, function
from verifier.program.gradients.formula_gradient import differentiate


def by_torch(program, names, at):
    """The value and the gradient by each name, at points given as arrays of one dtype."""
    tensors = {
        name: torch.tensor(values, requires_grad=name in names) for name, values in at.items()
    }
    value = function("f", ", ".join(at), program, TORCH)(*tensors.values())
    value.sum().backward()
    gradients = [tensors[name].grad for name in names]
    return [part.detach().double().numpy() for part in (value, *gradients)]


def by_numpy(program, names, at):
    with np.errstate(all="ignore"):
        results = function("g", ", ".join(at), differentiate(program, names), NUMPY)(*at.values())
    count = len(next(iter(at.values())))
    return [np.broadcast_to(np.asarray(part, dtype=np.float64), (count,)) for part in results]


def verdicts(program, names, format, library, at):
    """The verdicts on what that library states."""
    stated = {"torch": by_torch, "numpy": by_numpy}[library](program, names, at)
    arguments = {name: values.astype(np.float64)[:, None] for name, values in at.items()}
    return Judge(differentiate(program, names), format, library).verdicts(arguments, stated, stated)
