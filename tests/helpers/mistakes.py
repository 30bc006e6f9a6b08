"""Backwards with the commonest mistakes, for one input and for two, with an array and with a number
as result.

`names` lists them; each is a target of this file.
"""

import torch


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


def _overwritten(inputs, grad_output):
    grad_output.mul_(2)
    return _right(inputs, grad_output)


def _first(change):
    """Something is done to the gradient of the first input only."""

    def wrong(inputs, grad_output):
        first, *rest = _right(inputs, grad_output)
        return [change(first), *rest]

    return wrong


_WRONG = {
    "exchanged": lambda inputs, grad_output: _right(inputs, grad_output)[::-1],
    "both_wrong": lambda inputs, grad_output: [part * 1.5 for part in _right(inputs, grad_output)],
    "one_none": _first(lambda gradient: None),
    "sign": _first(torch.neg),
    "factor": _first(lambda gradient: gradient * 2),
    "mean_for_sum": _first(lambda gradient: gradient / gradient.numel()),
    "missing_term": _short,
    "ignored_grad_output": lambda inputs, grad_output: _right(inputs, torch.ones_like(grad_output)),
    "transposed": _first(lambda gradient: gradient.mT),
    "detached": _first(torch.zeros_like),
    "nan": _first(lambda gradient: gradient * float("nan")),
    "in_place": _overwritten,
    "none": _right,
}


def _function(mistake, is_scalar):
    def forward(ctx, *inputs):
        ctx.save_for_backward(*inputs)
        result = (
            inputs[0] * inputs[0].exp() if len(inputs) == 1 else inputs[0] * inputs[1] + inputs[0]
        )
        return result.sum() if is_scalar else result

    def backward(ctx, grad_output):
        found = _WRONG[mistake](ctx.saved_tensors, grad_output)
        return tuple(found) if len(found) > 1 else found[0]

    return torch.autograd.Function, {
        "forward": staticmethod(forward),
        "backward": staticmethod(backward),
    }


def _target(mistake, count, is_scalar):
    base, body = _function(mistake, is_scalar)
    function = type(mistake, (base,), body)
    if count == 1:
        return lambda x: function.apply(x)
    return lambda a, b: function.apply(a, b)


names = []
for _mistake in _WRONG:
    for _count in (1, 2):
        for _scalar in (False, True):
            if (_mistake, _count) == ("exchanged", 1):
                continue
            _name = f"{_mistake}_{_count}_{'number' if _scalar else 'array'}"
            names.append(_name)
            globals()[_name] = _target(_mistake, _count, _scalar)
