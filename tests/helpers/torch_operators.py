"""PyTorch's own collections of operators and modules, as code at points that can be judged.

`op_db` and `module_db` are what torch's tests go through: each entry knows small inputs of its own
in every dtype.
"""

import sys
import types
import unittest
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice

import torch
from torch.utils import _pytree as pytree

from verifier.capture.code_at_point import Subject
from verifier.capture.target.sparse_inputs import SparseInput

try:
    import expecttest  # noqa: F401
except ImportError:
    # torch's test helpers import it for a class that nothing here uses.
    stand_in = types.ModuleType("expecttest")
    stand_in.TestCase = unittest.TestCase
    sys.modules["expecttest"] = stand_in

SEED = 0
LOOKED_AT = 40
"""Of so many samples of an entry the chosen ones are the smallest, the largest and between."""
LARGEST = 160
"""So many numbers may the inputs of a sample have, or it is the smallest of its entry."""
OPERATORS, MODULES = "operators", "modules"


@dataclass(frozen=True)
class Entry:
    """One entry of a collection: an operator, or a module in training or evaluation mode."""

    collection: str
    name: str
    dtype: str

    def __str__(self):
        return f"{self.name} ({self.dtype})"


@cache
def operators():
    """Every operator by its name, and the name of its variant."""
    from torch.testing._internal.common_methods_invocations import op_db

    return {_name(info): info for info in op_db}


@cache
def modules():
    from torch.testing._internal.common_modules import module_db

    return {info.name: info for info in module_db}


def _name(info):
    return f"{info.name}.{info.variant_test_name}" if info.variant_test_name else info.name


def entries(dtype):
    """The differentiable entries of both collections in a dtype."""
    kind = getattr(torch, dtype)
    found = [
        Entry(OPERATORS, name, dtype)
        for name, info in operators().items()
        if info.supports_autograd and kind in info.supported_backward_dtypes("cpu")
    ]
    for name, info in modules().items():
        if kind in info.dtypes:
            modes = ["train", "eval"] if info.train_and_eval_differ else ["train"]
            found.extend(Entry(MODULES, f"{name}.{mode}", dtype) for mode in modes)
    return found


def subjects(entry, count):
    """Up to so many points of an entry, at which it has a value if there are such."""
    make = _of_operator if entry.collection == OPERATORS else _of_module
    torch.manual_seed(SEED)
    found = make(entry)
    kept = [one for one in found if any(one.inputs[name].numel() for name in one.wanted)]
    kept.sort(key=_size)
    small = [one for one in kept if _size(one) <= LARGEST] or kept[:1]
    small = [one for one in small if _has_a_value(one)] or small
    last = len(small) - 1
    places = {round(last * place / max(1, count - 1)) for place in range(count)} if small else ()
    return [small[place] for place in sorted(places, reverse=True)]


def _has_a_value(subject):
    """Whether the code gives numbers, or whatever else on copies of what it is given."""
    try:
        with torch.no_grad():
            found = subject.code(*(tensor.clone() for tensor in subject.inputs.values()))
    except Exception:
        return True
    # torch itself may crash where it looks for NaN among the numbers of a sparse tensor.
    return not any(part.layout == torch.strided and part.isnan().any() for part in found)


def _size(subject):
    return sum(tensor.numel() for tensor in subject.inputs.values())


def _of_operator(entry):
    info, dtype = operators()[entry.name], getattr(torch, entry.dtype)
    samples = info.sample_inputs("cpu", dtype, requires_grad=True)
    return [
        one
        for sample in islice(samples, LOOKED_AT)
        if (one := _subject(partial(_run, info), sample)) is not None
    ]


def _run(info, sample_values):
    input_, args, kwargs, output = sample_values
    run = info.gradcheck_wrapper or (lambda op, *a, **k: op(*a, **k))
    return output(run(info.get_op(), input_, *args, **kwargs))


def _subject(run, sample):
    values = (sample.input, sample.args, sample.kwargs)
    leaves, layout = pytree.tree_flatten(values)

    given_as = [_given_as(leaf) for leaf in leaves]

    def given(*tensors):
        waiting = iter(tensors)
        parts = [leaf if make is None else make(next(waiting)) for leaf, make in given_as]
        return pytree.tree_unflatten(parts, layout)

    def code(*tensors):
        return _numbers(run((*given(*tensors), sample.output_process_fn_grad)))

    tensors = [leaf for leaf, make in given_as if make is not None]
    return _pointed(code, [f"input {place}" for place in range(len(tensors))], tensors)


def _given_as(leaf):
    """What is an input of an argument, and how the argument is made of it: a sparse one of its
    values; no function for what is no tensor.
    """
    if not isinstance(leaf, torch.Tensor):
        return leaf, None
    if leaf.layout is torch.strided:
        return leaf, lambda tensor: tensor
    sparse = SparseInput.of(leaf, "input")
    return sparse.values.requires_grad_(leaf.requires_grad), sparse.with_values


def _pointed(code, names, tensors):
    """The subject, or nothing where no input has a gradient."""
    wanted = tuple(
        name for name, tensor in zip(names, tensors, strict=True) if tensor.requires_grad
    )
    if not wanted:
        return None
    # Rows of a table that a sample expanded are one number.
    inputs = {name: tensor.detach().clone() for name, tensor in zip(names, tensors, strict=True)}
    return Subject(code, inputs, wanted)


def _numbers(result):
    """The results that have a gradient; the others are not asked for."""
    leaves = [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
    kept = [leaf for leaf in leaves if leaf.is_floating_point() or leaf.is_complex()]
    return tuple(kept)


def _of_module(entry):
    name, _, mode = entry.name.rpartition(".")
    info, dtype = modules()[name], getattr(torch, entry.dtype)
    inputs = info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=True, training=mode == "train"
    )
    return [
        one
        for given in islice(inputs, LOOKED_AT)
        if (one := _module_subject(info, given, dtype, mode)) is not None
    ]


def _module_subject(info, given, dtype, mode):
    made, call = given.constructor_input, given.forward_input
    module = info.module_cls(*made.args, **made.kwargs).to(dtype).train(mode == "train")
    leaves, layout = pytree.tree_flatten((call.args, call.kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    if any(
        isinstance(part, torch.nn.parameter.UninitializedParameter) for part in module.parameters()
    ):
        args, kwargs = pytree.tree_unflatten(leaves, layout)
        module(*args, **kwargs)
    parameters = dict(module.named_parameters())

    def code(*values):
        own = dict(zip(parameters, values[len(tensors) :], strict=True))
        waiting = iter(values[: len(tensors)])
        parts = [next(waiting) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(parts, layout)
        buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
        return _numbers(torch.func.functional_call(module, {**own, **buffers}, args, kwargs))

    names = [*(f"input {place}" for place in range(len(tensors))), *parameters]
    return _pointed(code, names, [*tensors, *parameters.values()])
