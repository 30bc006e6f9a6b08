"""Source code that tests write to files."""

WRONG_SQUARE = """
import torch


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return -2 * g * ctx.saved_tensors[0]
"""
"""x² with its gradient's sign flipped, as `Wrong`."""
