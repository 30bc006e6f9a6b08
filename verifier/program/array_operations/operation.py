"""What an operation on whole arrays is to a formula: shapes, source code, nodes, and its adjoint.

A formula knows every length but one: how many rows a batch has, which is written as ROWS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from verifier.program.builder import Builder, FormulaBuilder
from verifier.program.program import Shape

TORCH, NUMPY, TEXT = "torch", "numpy", "formula"
"""The languages that an operation is written in."""


@dataclass(frozen=True)
class Argument:
    """The source of an argument."""

    text: str
    atom: str
    """The same before a dot or an index: in brackets, if it needs them, and a plain number as an
    array or a tensor.
    """


class ArrayOperation(ABC):
    """One operation with its settings; equal to another one of the same class and settings."""

    symbol: ClassVar[str] = ""
    """The operator between two arguments, which binds as * does, where it is written as one."""

    @abstractmethod
    def shape(self, *arguments: Shape) -> Shape:
        """Of the result, for arguments of these shapes. Raises InputError where they do not fit."""

    @abstractmethod
    def source(self, language: str, *arguments: Argument) -> str:
        """How it is written for torch, for NumPy or in a formula; it binds like a call."""

    @abstractmethod
    def lowered(self, builder: Builder, *arguments: int) -> int:
        """The node of its result in an array program, for nodes of the arguments there."""

    @abstractmethod
    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The gradient by the argument at that position, from the gradient by the result.

        `node` is the operation's own place in `build`; `adjoint` has its shape, and what is
        returned has the argument's.
        """
