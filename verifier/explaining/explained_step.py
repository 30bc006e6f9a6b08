"""An explained step, as records: how one step's gradient comes about, node by node.

Every number that a node has, its value, its derivative by what it takes and its adjoint, is stated
twice: by torch, from the very tensors of the code that is run, and by the symbolic program in
NumPy. Torch's is judged as in a training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from verifier.formula.model import Model
from verifier.judging.causes.scalar_gradients import Cause
from verifier.judging.verdict import Comparison, Outcome
from verifier.operations.arrays import Expr
from verifier.training.runner import Settings


class Role(StrEnum):
    """What a node of the graph is."""

    DATA = "data"
    PARAMETER = "parameter"
    FIXED = "fixed"
    OPERATION = "operation"


@dataclass(frozen=True)
class Condition:
    """Whether a condition holds, as each side decides it."""

    autograd: bool
    symbolic: bool


@dataclass(frozen=True)
class Edge:
    """The derivative of an operation by one of the nodes that it takes."""

    argument: str
    formula: str
    """In the names of the nodes."""
    numbers: tuple[Comparison, ...]
    """Torch's own, of this operation alone: one, or one a judged row."""
    derivative: Expr = field(default=None, repr=False, compare=False)
    """The formula as SymPy has it; None for a choice by a condition."""


@dataclass(frozen=True)
class Node:
    """A symbol or an operation: what it takes, what it comes to, and what is passed back to it."""

    name: str
    role: Role
    formula: str
    """In the names of the nodes that it takes; a symbol is its own name."""
    arguments: tuple[str, ...]
    users: tuple[str, ...]
    """The nodes that take this one, from the loss back."""
    rows: int | None
    """How many rows it has; None where it is one number."""
    values: tuple[Comparison, ...]
    """One, or one a judged row; none for a condition."""
    conditions: tuple[Condition, ...]
    edges: tuple[Edge, ...]
    """Derivatives by the nodes through which a gradient passes."""
    adjoints: tuple[Comparison, ...]
    """The derivative of the loss by this node: one, or one a judged row; none where none is taken
    or can be seen.
    """
    arrived: bool
    """Whether autograd passed anything back to it; nothing counts as 0."""
    tracked: bool
    """Whether torch's tensor requires a gradient."""

    @property
    def title(self) -> str:
        """The name, and what it is made of."""
        return self.name if self.formula == self.name else f"{self.name} = {self.formula}"


@dataclass(frozen=True)
class Tensor:
    """A tensor as torch holds it, once before and once after `backward()`; arrays by their first
    entries.
    """

    name: str
    size: int
    data: tuple[float, ...]
    requires_grad: bool
    grad_fn: str | None
    """The name of its class; None for a leaf."""
    grad_before: float | None
    grad_after: float | None
    """None where torch keeps none: for data, and for what is computed."""


@dataclass(frozen=True)
class Update:
    """How one parameter is moved by autograd's gradient."""

    name: str
    before: float
    gradient: float
    moved: float | None
    """Learning rate times gradient, where the update is that; None for other optimizers."""
    after: float
    symbolic_after: float | None
    """The same update by the symbolic gradient, from the same number; None for other optimizers."""


@dataclass(frozen=True)
class Place:
    """Which step is explained, and where it stands."""

    step: int
    """As a training numbers them, from 1."""
    epoch: int
    """Counted from 0."""
    sample: int | None
    """The row of the data, counted from 0; None for a batch and for what is no row."""
    rows: int | None
    """Rows of a batch; None for one sample."""
    inputs: Mapping[str, float]
    """The sample's columns; empty for a batch of more than one row."""
    parameters: Mapping[str, float]
    """Before the update."""
    chosen: str
    """Why this step, as a sentence."""


class Quantity(StrEnum):
    """Of what the two state different numbers."""

    VALUE = "value"
    DERIVATIVE = "derivative"
    ADJOINT = "adjoint"
    GRAD = "grad"


@dataclass(frozen=True)
class FirstDivergence:
    """Where torch's numbers and the right ones first part by more than rounding explains."""

    node: str
    quantity: Quantity
    sentence: str


@dataclass(frozen=True, eq=False)
class ExplainedStep:
    """How the gradient of one step comes about; `verifier.Explanation` shows it."""

    model: Model
    settings: Settings
    place: Place
    nodes: tuple[Node, ...]
    """In the order of evaluation; the last is the loss."""
    judged_rows: int
    """Of a batch, how many of its first rows have numbers of their own here."""
    loss: Comparison
    gradient: Mapping[str, Comparison]
    """What stands in each trained parameter's `.grad` in the end, judged."""
    formulas: Mapping[str, str]
    """The derivative of one sample's loss by each trained parameter, as SymPy writes it; none where
    it is too long.
    """
    tensors: tuple[Tensor, ...]
    updates: tuple[Update, ...]
    parting: FirstDivergence | None
    causes: tuple[Cause, ...]
    replay: str | None
    """The command that shows it again; None where only Python can."""
    notes: tuple[str, ...] = ()
    """What failed beside the verdict, a sentence each."""
    internal_errors: tuple[str, ...] = ()
    """The tracebacks of that: mistakes of ours."""

    def __getitem__(self, name: str) -> Node:
        """The node of that name. Raises KeyError where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def outcome(self) -> Outcome:
        """Disagrees where the two part anywhere; else the worst of the loss and the gradient."""
        if self.parting is not None:
            return Outcome.DISAGREES
        judged = (self.loss, *self.gradient.values())
        return max(
            (comparison.outcome for comparison in judged), key=lambda outcome: outcome.severity
        )

    @property
    def ok(self) -> bool:
        """Whether the loss and the gradient agree."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 where the loss and the gradient agree, 1 where anything disagrees, 3 where one of them
        is undecided.
        """
        return {Outcome.AGREES: 0, Outcome.DISAGREES: 1, Outcome.UNDECIDED: 3}[self.outcome]
