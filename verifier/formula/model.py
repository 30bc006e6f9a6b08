"""Model: a formula and the roles of its symbols.

This module is imported by every model file, so it loads SymPy only when a model is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import InputError
from verifier.formula.arrays.row_shapes import row_shapes
from verifier.formula.arrays.start_values import Start, start_value
from verifier.formula.data_source import loaded_data
from verifier.formula.prediction_source import PredictionSource, TextSource, prediction_source
from verifier.operations.identifiers import is_name
from verifier.process.imports import quiet_imports
from verifier.process.values import Options, UserFunction, UserValue

if TYPE_CHECKING:
    import sympy

    from verifier.formula.arrays.closed_form.form import ClosedForm
    from verifier.operations.arrays import Expr, Numeric
    from verifier.program.author_order import AuthorOrder
    from verifier.program.builder import FormulaBuilder
    from verifier.program.program import Program, Shape

Loss = UserFunction
TRAINING_KEYS = (
    "epochs",
    "lr",
    "optimizer",
    "dtype",
    "batch",
    "shuffle",
    "seed",
    "hold_out",
    "judge_every",
)


class Model:
    """A formula, which of its symbols are inputs and which are parameters, and how it is trained.

    `expression` is a SymPy expression; its operations are done in SymPy's order, which is seldom
    the order in which it was typed. Where the order matters, to the last digit, use
    `verifier.model` on a function.

    `inputs` are symbols or names of data columns, `start` maps parameters to their start values,
    numbers or arrays, `fixed` names parameters that are not trained. `loss` takes the prediction,
    then data columns or parameters by name. `weights` names a column that multiplies each row's
    loss; `reduction` says whether a batch takes the "mean" or the "sum" of its rows' losses.
    Without inputs and without a loss the expression itself is minimised.

    Raises InputError for a symbol without a role, a parameter that does not start from finite
    numbers, or an unknown setting.

    >>> import sympy
    >>> from verifier import Model, squared_error
    >>> w, x = sympy.symbols("w x")
    >>> line = Model(w * x, inputs=[x], start={w: 1.0}, loss=squared_error)
    >>> line.expression, line.gradient["w"]
    (w*x, 2*x*(w*x - y))
    """

    def __init__(
        self,
        expression: UserValue,
        *,
        inputs: Sequence[UserValue] = (),
        start: Mapping[UserValue, UserValue],
        loss: Loss | None = None,
        data: UserValue = None,
        train: Options | None = None,
        fixed: Sequence[UserValue] = (),
        weights: str | None = None,
        reduction: str = "mean",
        name: str = "model",
    ) -> None:
        written = inspect.isfunction(expression)
        self._formula: PredictionSource = prediction_source(expression, name)
        self.name = name
        if not is_name(str(name)):
            raise InputError(f"{str(name)!r} cannot name a model: use a Python name of its own")
        self.description = (inspect.getdoc(expression) or "") if written else ""
        self.inputs = tuple(_symbol_name(part, name) for part in inputs)
        self.start = {
            _symbol_name(part, name): start_value(str(part), value, name)
            for part, value in start.items()
        }
        self.fixed = frozenset(
            _symbol_name(part, name) for part in ([fixed] if isinstance(fixed, str) else fixed)
        )
        self.loss = loss
        self.weights = weights
        self.reduction = reduction
        self.data_source = data
        """The data as it was given; a function without arguments gives it when it is needed."""
        self.training = dict(train or {})
        self.origin: tuple[str, ...] = ()
        """The words that name this model on the command line; none where it has no name there."""
        self._check_roles()

    def __repr__(self) -> str:
        return (
            f"<Model {self.name}: inputs {', '.join(self.inputs) or 'none'}; parameters "
            f"{', '.join(self.start)}>"
        )

    @classmethod
    def from_text(
        cls, formula: str, *, inputs: str | Sequence[str] = (), **roles: UserValue
    ) -> Model:
        """A model of a `formula` written as text, with its operations in the order in which they
        are written.

        `inputs` are names, in a list or in one string with spaces or commas between them; `roles`
        are the other arguments of Model. The text is parsed, never evaluated (docs/formulas.md).

        Raises InputError with a caret under the place where the text is not a formula.

        >>> from verifier import Model, squared_error
        >>> start = {"w": 1.0, "b": 0.0}
        >>> line = Model.from_text("w*x + b", inputs="x", start=start, loss=squared_error)
        >>> line.gradient["b"]
        2*(b + w*x - y)
        """
        if not isinstance(formula, str):
            raise InputError(
                f"a {type(formula).__name__} is not text: give the formula as a string"
            )
        listed = inputs.replace(",", " ").split() if isinstance(inputs, str) else inputs
        model = cls(TextSource(formula), inputs=listed, **roles)
        _ = model.program
        return model

    def with_weights(self, column: str) -> Model:
        """The same model, with each row's loss multiplied by a column of the data.

        Raises InputError where the model has no loss, or `column` is no name.
        """
        origin = (*self.origin, "--weights", column) if self.origin else ()
        weighted = self._changed(weights=column, origin=origin)
        weighted._check_roles()
        return weighted

    def _changed(self, **attributes: UserValue) -> Model:
        """A copy with other attributes, in which nothing is cached."""
        changed = copy(self)
        for name in [
            name for name in vars(changed) if isinstance(vars(Model).get(name), cached_property)
        ]:
            del vars(changed)[name]
        vars(changed).update(attributes)
        return changed

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that are trained, in the order written."""
        return tuple(name for name in self.start if name not in self.fixed)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the data columns that one sample consists of.

        They are the inputs, what the loss takes besides parameters, and the weights.
        """
        more = [name for name in _column_arguments(self.loss, self.name) if name not in self.start]
        return tuple(
            dict.fromkeys([*self.inputs, *more, *([self.weights] if self.weights else [])])
        )

    @cached_property
    def program(self) -> Program:
        """The prediction and the loss of one sample, in the order of operations as written."""
        # What is loaded for it, and the function that the formula may be written as, leave no
        # trace.
        with quiet_imports():
            return self._build_program()

    def _build_program(self) -> Program:
        from verifier.program.guards import guarded
        from verifier.program.program import SCALAR

        builder, prediction, loss = self._build(SCALAR)
        program = builder.program(prediction, loss)
        self._refuse_unused(program)
        self._refuse_undefined_constants(guarded(program))
        self._formula.verify(program, self._trial_point)
        return program

    @property
    def _trial_point(self) -> dict[str, Start]:
        """Arguments that the source is tried on; of arrays, a batch of two rows."""
        if self.is_scalar:
            return {**dict.fromkeys(self.columns, 0.75), **self.start}
        drawn = np.random.default_rng(0)
        columns = {
            name: drawn.uniform(0.5, 1.0, (2, *self.row_shapes[name])) for name in self.columns
        }
        return {**columns, **{name: np.asarray(value) for name, value in self.start.items()}}

    @cached_property
    def guarded_program(self) -> Program:
        """The same, with guards in its branches: what torch and NumPy compute."""
        from verifier.program.guards import guarded

        return guarded(self.program)

    @cached_property
    def batch_program(self) -> Program:
        """The predictions of a batch and the mean (or sum) of their losses, guarded."""
        from verifier.program.guards import guarded

        builder, prediction, loss = self._build_batch()
        return guarded(builder.program(prediction, loss))

    def _build_batch(self) -> tuple[FormulaBuilder, int, int]:
        """A builder with the nodes of the predictions of a batch and its loss, a number."""
        from verifier.program.program import BATCH

        _ = self.program
        builder, prediction, loss = self._build(BATCH)
        if builder.shape(loss) == BATCH:
            loss = builder.apply(self.reduction, loss)
        return builder, prediction, loss

    @cached_property
    def gradient_program(self) -> Program:
        """The loss of one sample and its derivative by each trained parameter."""
        return self._differentiate(self.guarded_program)

    @cached_property
    def batch_gradient_program(self) -> Program:
        """The loss of a batch and its derivative by each trained parameter."""
        return self._differentiate(self.batch_program)

    @cached_property
    def closed_form(self) -> ClosedForm:
        """The prediction, the loss of a batch and its gradient in the algebra of matrices.

        Raises InputError where the algebra has no form for them, or one that is too long.
        """
        from verifier.formula.arrays.closed_form.form import closed_form

        builder, prediction, loss = self._build_batch()
        gradient = self._differentiate(builder.program(loss))
        return closed_form(builder.program(prediction), gradient, self.parameters, self.columns)

    @cached_property
    def expression(self) -> sympy.Expr:
        """The prediction as an ordinary SymPy expression; of a model of arrays that of a batch, a
        matrix expression.
        """
        from verifier.program.sympy_form import expressions

        if not self.is_scalar:
            return self.closed_form.prediction
        return expressions(self.program)[0]

    @cached_property
    def loss_expression(self) -> sympy.Expr:
        """The loss of one sample as an ordinary SymPy expression; of a model of arrays that of a
        batch.
        """
        from verifier.program.sympy_form import expressions

        if not self.is_scalar:
            return self.closed_form.loss
        return expressions(self.program)[1]

    @cached_property
    def order(self) -> AuthorOrder:
        """The order in which its author wrote the terms of its formulas."""
        from verifier.program.author_order import AuthorOrder

        return AuthorOrder(self.program)

    @cached_property
    def gradient(self) -> Mapping[str, sympy.Expr]:
        """The derivative of one sample's loss by each trained parameter.

        They are ordinary SymPy expressions, by the parameters' names; of a model of arrays matrix
        expressions, of the loss of a batch.
        """
        import sympy

        from verifier.program.sympy_form import expressions

        if not self.is_scalar:
            return self.closed_form.gradient
        _, *derivatives = expressions(self._differentiate(self.program))
        factored = (sympy.factor_terms(derivative) for derivative in derivatives)
        return dict(zip(self.parameters, factored, strict=True))

    @cached_property
    def torch(self) -> Callable[..., UserValue]:
        """The prediction as a torch function: inputs by position, parameters by keyword.

        It takes tensors or numbers and returns a tensor; `inspect.getsource` shows its code.
        """
        from verifier.program.codegen import TORCH, function, of_tensors

        program = self.guarded_program.only(self.guarded_program.outputs[0])
        with quiet_imports():
            return of_tensors(function(self.name, self.signature, program, TORCH, self.start))

    @cached_property
    def numpy(self) -> Callable[..., Numeric]:
        """The prediction as a NumPy function: inputs by position, parameters by keyword.

        It takes numbers or arrays and computes in their dtype; `inspect.getsource` shows its code.
        """
        from verifier.program.codegen import NUMPY, function

        return function(
            self.name,
            self.signature,
            self.guarded_program.only(self.guarded_program.outputs[0]),
            NUMPY,
            self.start,
        )

    def latex(self) -> tuple[str, ...]:
        """The prediction, the loss and the gradient in LaTeX, an equation each; of a model of
        arrays also their shared parts.

        Raises InputError where one of them is too long to be written out.

        >>> from verifier import load
        >>> load("linear").latex()[0]
        '\\\\hat{y} = w x'
        """
        import sympy

        from verifier.program.sympy_form import symbol

        if not self.is_scalar:
            return self.closed_form.latex()
        derivatives = (
            rf"\frac{{\partial L}}{{\partial {sympy.latex(symbol(name))}}} = "
            rf"{self.order.latex(derivative)}"
            for name, derivative in self.gradient.items()
        )
        prediction = rf"\hat{{y}} = {self.order.latex(self.expression)}"
        return (prediction, f"L = {self.order.latex(self.loss_expression)}", *derivatives)

    def _repr_latex_(self) -> str | None:
        """What a notebook shows; where that is too long, it shows the representation."""
        try:
            lines = (line.replace(" = ", " &= ", 1) for line in self.latex())
            return r"$\displaystyle \begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}$"
        except InputError:
            return None

    @property
    def signature(self) -> str:
        """The arguments of the prediction, as in the function that a person writes; a start value
        that is an array stands as an entry of `start`.
        """
        parameters = ", ".join(
            f"{name}=start[{name!r}]" if np.ndim(value) else f"{name}={value!r}"
            for name, value in self.start.items()
        )
        return ", ".join(part for part in (*self.inputs, "*", parameters) if part)

    def _build(self, rows: Shape) -> tuple[FormulaBuilder, int, int]:
        """A builder with the nodes of the prediction and the loss, where the columns have that
        shape.
        """
        from verifier.program.builder import FormulaBuilder

        if not self.is_scalar:
            return self._of_arrays
        builder = FormulaBuilder()
        columns = {name: builder.input(name, rows) for name in self.columns}
        parameters = {name: builder.input(name) for name in self.start}
        inputs = {name: columns[name] for name in self.inputs}
        prediction = self._formula.write(builder, inputs, parameters)
        loss = self._write_loss(builder, prediction, {**columns, **parameters})
        if self.weights:
            loss = builder.apply("multiply", columns[self.weights], loss)
        return builder, prediction, loss

    @cached_property
    def _of_arrays(self) -> tuple[FormulaBuilder, int, int]:
        """The same for arrays, of a batch; the loss has a number a row, or one for all of them. It
        is traced once, since the body may be code that takes long or prints.
        """
        from verifier.formula.arrays.trace import loss_of_rows, trace_array_loss
        from verifier.program.builder import FormulaBuilder
        from verifier.program.program import BATCH

        builder = FormulaBuilder()
        columns = {
            name: builder.input(name, (*BATCH, *self.row_shapes[name])) for name in self.columns
        }
        parameters = {name: builder.input(name, shape) for name, shape in self.shapes.items()}
        inputs = {name: columns[name] for name in self.inputs}
        try:
            prediction = self._formula.write_arrays(builder, inputs, parameters)
            loss = prediction
            if self.loss is not None:
                names = _column_arguments(self.loss, self.name)
                beside = {name: {**columns, **parameters}[name] for name in names}
                loss = trace_array_loss(self.loss, builder, prediction, beside)
            return builder, prediction, loss_of_rows(builder, loss, columns, self.weights)
        except InputError as error:
            raise error.located(f"model {self.name}") from error

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each parameter; () is that of a number."""
        return {name: tuple(np.shape(value)) for name, value in self.start.items()}

    @cached_property
    def data(self) -> UserValue:
        """The data: what was given, or what the function that was given returns.

        Raises InputError where that function fails.
        """
        try:
            return loaded_data(self.data_source)
        except InputError as error:
            raise error.located(f"model {self.name}") from error

    @cached_property
    def row_shapes(self) -> dict[str, Shape]:
        """The shape that one row of each data column has, by the data; () where that says
        nothing.
        """
        return row_shapes(self.data, self.columns)

    @cached_property
    def is_scalar(self) -> bool:
        """Whether every parameter, each entry of the data and each constant is a number."""
        if any(self.shapes.values()) or not set(self.row_shapes.values()) <= {(), (1,)}:
            return False
        with quiet_imports():
            of_numbers = self._formula.is_of_numbers(self.inputs, tuple(self.start))
            return of_numbers or not self._is_of_arrays()

    def _is_of_arrays(self) -> bool:
        """Whether the formula can be written where its numbers are arrays without axes."""
        try:
            _ = self._of_arrays
        except InputError:
            return False
        return True

    def with_data(self, data: UserValue) -> Model:
        """The same model with other data, whose rows may have other shapes.

        `data` is in any of the forms that `verifier.train` takes, or a function without arguments
        that returns it and is called when the data is first needed.
        """
        return self._changed(data_source=data)

    def _write_loss(
        self, builder: FormulaBuilder, prediction: int, places: Mapping[str, int]
    ) -> int:
        if self.loss is None:
            return prediction
        from verifier.formula.trace import PREDICTION
        from verifier.program.sympy_form import read, symbol

        symbols = {
            PREDICTION: prediction,
            **{symbol(name): place for name, place in places.items()},
        }
        return read(self._loss_tree, builder, symbols)

    @cached_property
    def _loss_tree(self) -> Expr:
        from verifier.formula.trace import trace_loss

        return trace_loss(self.loss, _column_arguments(self.loss, self.name)) if self.loss else None

    def _differentiate(self, program: Program) -> Program:
        from verifier.program.gradients.formula_gradient import differentiate

        loss = program.only_last
        self._refuse_without_derivative(loss)
        self._refuse_unreached(loss)
        gradient = differentiate(loss, self.parameters)
        self._refuse_undefined_constants(gradient)
        return gradient

    def _check_roles(self) -> None:
        names = [*self.inputs, *self.start]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"model {self.name}: {name} is named twice: give each symbol one role"
                )
        for name in self.fixed - set(self.start):
            raise InputError(
                f"model {self.name}: fixed names {name!r}, which is not a parameter: "
                f"{_listing(self.start)}"
            )
        for key in set(self.training) - set(TRAINING_KEYS):
            raise InputError(
                f"model {self.name}: train has no setting {key!r}: it has {_listing(TRAINING_KEYS)}"
            )
        if not self.parameters:
            raise InputError(
                f"model {self.name} has no parameter to train: give it one with a start value"
            )
        if self.reduction not in ("mean", "sum"):
            raise InputError(f"model {self.name}: reduction is {self.reduction!r}: use mean or sum")
        if self.weights is not None and (self.loss is None or not str(self.weights).isidentifier()):
            raise InputError(
                f"model {self.name}: weights is {self.weights!r}: name a column of the data that "
                "multiplies the loss"
            )
        if self.inputs and self.loss is None:
            raise InputError(
                f"model {self.name} has inputs but no loss: add loss=squared_error, or a loss of "
                "your own"
            )

    def _refuse_unused(self, program: Program) -> None:
        for name in self.start:
            if name not in program.inputs:
                raise InputError(
                    f"model {self.name}: parameter {name} does not occur in the formula: use it "
                    "there or remove it"
                )

    def _refuse_unreached(self, program: Program) -> None:
        from verifier.program.gradients.formula_gradient import reached

        found = reached(program, self.parameters)
        for name in self.parameters:
            if name not in found:
                raise InputError(
                    f"model {self.name}: no gradient reaches parameter {name}: the loss depends on "
                    "it"
                    " through conditions only, or not at all"
                )

    def _refuse_without_derivative(self, program: Program) -> None:
        from verifier.formula.text.unparse import write_text
        from verifier.operations.operation import Absent
        from verifier.operations.table import TABLE
        from verifier.program.gradients.formula_gradient import without_derivative

        for index in without_derivative(program, self.parameters):
            row = TABLE[program.nodes[index].operation]
            called = getattr(row.torch, "name", row.name)
            reason = (
                "it has no such function"
                if isinstance(row.torch, Absent)
                else f"{called} silently gives a result that has no gradient"
            )
            raise InputError(
                f"model {self.name}: torch has no derivative of {row.name}, here "
                f"{write_text(program.only(index))}: {reason}"
            )

    def _refuse_undefined_constants(self, program: Program) -> None:
        from verifier.program.codegen import undefined_constants

        if undefined_constants(program):
            raise InputError(
                f"model {self.name}: a constant in the formula or its gradient is not a finite "
                "number,"
                " such as 1/0 or log(-1): remove it"
            )


def model(
    *,
    loss: Loss | None = None,
    data: UserValue = None,
    train: Options | None = None,
    fixed: Sequence[str] = (),
    weights: str | None = None,
    reduction: str = "mean",
) -> Callable[[UserFunction], Model]:
    """Make a model of a plain function: a decorator.

    The function's positional arguments are the inputs; its keyword-only ones are the parameters,
    with their start values. The formula is traced when it is first needed, with its operations in
    the order in which they are written.

    `loss` takes the prediction, then data columns or parameters by name; without it and without
    inputs the function itself is minimised. `data` is a mapping of columns, the path of a CSV file,
    a data frame, or a function without arguments that returns one of them, which is called when the
    data is first needed. `train` has settings of `verifier.train` that hold for this model. `fixed`
    names parameters that are not trained. `weights` names a column that multiplies each row's loss.
    `reduction` says whether a batch takes the "mean" or the "sum" of its rows' losses.

    Raises InputError for a signature that does not say which argument is which.

    >>> from verifier import model, squared_error
    >>> @model(loss=squared_error)
    ... def line(x, *, w=1.0):
    ...     return w * x
    >>> line
    <Model line: inputs x; parameters w>
    """

    def decorate(function: UserFunction) -> Model:
        inputs, start = _roles_in_signature(function)
        return Model(
            function,
            inputs=inputs,
            start=start,
            loss=loss,
            data=data,
            train=train,
            fixed=fixed,
            weights=weights,
            reduction=reduction,
            name=function.__name__,
        )

    return decorate


def _roles_in_signature(function: UserFunction) -> tuple[list[str], dict[str, UserValue]]:
    inputs: list[str] = []
    start: dict[str, UserValue] = {}
    place = (
        f"{Path(function.__code__.co_filename).name}:{function.__code__.co_firstlineno}: "
        f"{function.__name__}"
    )
    for name, argument in inspect.signature(function).parameters.items():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise InputError(f"{place} takes *{name}: name each input and each parameter")
        if argument.kind is argument.KEYWORD_ONLY:
            if argument.default is argument.empty:
                raise InputError(
                    f"{place}: parameter {name} has no number to start from: write {name}=1.0"
                )
            start[name] = argument.default
        else:
            if argument.default is not argument.empty:
                raise InputError(
                    f"{place}: input {name} has a default: parameters stand behind a *, as in (x, "
                    f"*, {name}=...)"
                )
            inputs.append(name)
    return inputs, start


def _column_arguments(loss: Loss | None, name: str) -> tuple[str, ...]:
    """The names of the loss's positional arguments behind the prediction."""
    if loss is None:
        return ()
    try:
        arguments = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):
        raise InputError(
            f"model {name}: the loss must be a function of the prediction and of data columns"
        ) from None
    positional = [
        part.name
        for part in arguments
        if part.kind in (part.POSITIONAL_ONLY, part.POSITIONAL_OR_KEYWORD)
    ]
    if not positional:
        raise InputError(
            f"model {name}: the loss takes no prediction: write def loss(prediction, y)"
        )
    return tuple(positional[1:])


def _symbol_name(part: UserValue, model: str) -> str:
    name = str(part)
    if not is_name(name):
        raise InputError(
            f"model {model}: {name!r} cannot name an input or a parameter: use a Python name of "
            "its own"
        )
    return name


def _listing(names: Iterable[str]) -> str:
    return ", ".join(names)
