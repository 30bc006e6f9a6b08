"""Types of values whose kind verifier does not choose: a user's objects and functions, and JSON.

Each of them is `Any` to the type checker. The names say which `Any` is meant, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

UserValue: TypeAlias = Any
"""An object of the user's code. It may be of any class, and verifier passes it on or asks with
`isinstance` what it is; `object` would forbid to call it or to hand it to torch.
"""

UserFunction: TypeAlias = Callable[..., Any]
"""A function of the user's code. Its parameters are known when it runs, not before."""

UserInputs: TypeAlias = Mapping[str, Any]
"""The inputs of a user's code by name: tensors, ranges of numbers, constants, or containers of
them.
"""

Options: TypeAlias = Mapping[str, Any]
"""Keyword arguments by name, each of its own type, that go on to a function or a record."""

Facts: TypeAlias = dict[str, Any]
"""An object of a JSON document: text, numbers, truth values, None, and lists and objects of them.
A recursive type would need a cast wherever a key is read.
"""
