"""Backwards with the commonest mistakes, for one input and for two, with an array and with a number as result.

`names` lists them; each is a target of this file.
"""

import torch

MISTAKES = (
    "exchanged", "both_wrong", "one_none", "sign", "factor", "mean_for_sum", "missing_term", "ignored_grad_output",
    "transposed", "detached", "nan", "in_place",
)  # fmt: skip


def _right(inputs, grad_output):
    """The gradients of x*exp(x), or of a*b + a."""
    if len(inputs) == 1:
        (x,) = inputs
        return [grad_output * (1 + x) * x.exp()]
    a, b = inputs
    return [grad_output * (b + 1), grad_output * a]


def _short(inputs, grad_output):
    """The same without one of the terms."""
    if len(inputs) == 1:
        (x,) = inputs
        return [grad_output * x.exp()]
    a, b = inputs
    return [grad_output * b, grad_output * a]


def _wrong(mistake, inputs, grad_output):
    right = _right(inputs, grad_output)
    first, rest = right[0], right[1:]
    match mistake:
        case "exchanged":
            return right[::-1]
        case "both_wrong":
            return [part * 1.5 for part in right]
        case "one_none":
            return [None, *rest]
        case "sign":
            return [-first, *rest]
        case "factor":
            return [first * 2, *rest]
        case "mean_for_sum":
            return [first / inputs[0].numel(), *rest]
        case "missing_term":
            return _short(inputs, grad_output)
        case "ignored_grad_output":
            return _right(inputs, torch.ones_like(grad_output))
        case "transposed":
            return [first.mT, *rest]
        case "detached":
            return [torch.zeros_like(first), *rest]
        case "nan":
            return [first * float("nan"), *rest]
        case "in_place":
            grad_output.mul_(2)
            return right
    return right


def _function(mistake, is_scalar):
    def forward(ctx, *inputs):
        ctx.save_for_backward(*inputs)
        result = inputs[0] * inputs[0].exp() if len(inputs) == 1 else inputs[0] * inputs[1] + inputs[0]
        return result.sum() if is_scalar else result

    def backward(ctx, grad_output):
        found = _wrong(mistake, ctx.saved_tensors, grad_output)
        return tuple(found) if len(found) > 1 else found[0]

    return torch.autograd.Function, {"forward": staticmethod(forward), "backward": staticmethod(backward)}


def _target(mistake, count, is_scalar):
    base, body = _function(mistake, is_scalar)
    function = type(mistake, (base,), body)
    if count == 1:
        return lambda x: function.apply(x)
    return lambda a, b: function.apply(a, b)


names = []
for _mistake in (*MISTAKES, "none"):
    for _count in (1, 2):
        for _scalar in (False, True):
            if (_mistake, _count) == ("exchanged", 1):
                continue
            _name = f"{_mistake}_{_count}_{'number' if _scalar else 'array'}"
            names.append(_name)
            globals()[_name] = _target(_mistake, _count, _scalar)
