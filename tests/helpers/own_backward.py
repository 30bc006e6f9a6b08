"""Code with a backward of its own, made from two functions."""

import torch


def with_context(forward, backward):
    """A Function of these, on any number of inputs; the backward gets the context, grad_output and
    the inputs.
    """

    class Written(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx, *incoming):
            return backward(ctx, *incoming, *ctx.saved_tensors)

    return Written.apply


def function(forward, backward):
    """The same with a backward that gets grad_output and the inputs alone."""
    return with_context(forward, lambda ctx, *given: backward(*given))


def with_slope(forward, slope):
    """A Function of one tensor whose backward gives grad_output times the slope there."""
    return function(forward, lambda grad_output, x: grad_output * slope(x))


class OnceDifferentiable(torch.autograd.Function):
    """sin(x), with a backward that is marked as one that cannot be differentiated."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()
