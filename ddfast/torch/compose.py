"""Transforms that are called one after the other, with the parameters that their signatures name."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import Parameter
from typing import Any, NamedTuple

from torch import nn

from ddfast.errors import MissingParameterError, TransformError

Transform = Callable[..., Any]


class Compose:
    """Transform functions, called one after the other.

    The first argument of a function is the value. All further arguments in its signature are parameters: they are
    looked up by name in the dict that the ``rng`` of a `Dataset` returns, and required if they have no default.
    Functions that name the same parameter receive the same value. Keywords that `functools.partial` sets are constant::

        def add(value, number):
            return value + number

        Compose(add, partial(add, number=3))(1, {"number": 10})  # 14

    For a torch module, the signature of ``forward`` is used.

    Parameters:
        transforms: the functions, or one iterable of them.
        prefix: prefix of all parameter names: with ``"mask_"``, the value of ``size`` is looked up as ``"mask_size"``.

    Attributes:
        transforms: the functions.
        param_names: names of the parameters of each function, with prefix.
        prefix: the prefix.

    Raises:
        TransformError: a transform cannot be called with a value.
    """

    def __init__(self, *transforms: Transform | Iterable[Transform], prefix: str = "") -> None:
        if len(transforms) == 1 and isinstance(transforms[0], Iterable):
            transforms = tuple(transforms[0])
        self._steps = tuple(map(partial(_Step.of, prefix), transforms))
        self.transforms = tuple(step.function for step in self._steps)
        self.param_names = [tuple(step.names.values()) for step in self._steps]
        self.prefix = prefix

    def __call__(self, value: Any, params: Mapping[str, Any]) -> Any:
        """The value, transformed.

        Raises:
            MissingParameterError: a function requires a parameter that is not among `params`; also a `KeyError`.
        """
        for function, names, required in self._steps:
            given = {own: params[name] for own, name in names.items() if name in params}
            if not required <= given.keys():
                missing = ", ".join(repr(names[own]) for own in names if own in required - given.keys())
                raise MissingParameterError(
                    f"{_name_of(function)} requires {missing}, but the parameters are "
                    f"{', '.join(map(repr, params)) or 'none'}. Return it from rng, or set it with functools.partial"
                )
            value = function(value, **given)
        return value

    def __repr__(self) -> str:
        names = ", ".join(map(_name_of, self.transforms))
        return f"{type(self).__name__}({names}{f', prefix={self.prefix!r}' if self.prefix else ''})"


class _Step(NamedTuple):
    function: Transform
    names: dict[str, str]  # name of each parameter: name with prefix
    required: frozenset[str]  # names of the parameters without default

    @classmethod
    def of(cls, prefix: str, function: Any) -> _Step:
        parameters = _beyond_value(function)
        return cls(
            function,
            {p.name: prefix + p.name for p in parameters},
            frozenset(p.name for p in parameters if p.default is Parameter.empty),
        )


def _beyond_value(function: Any) -> list[Parameter]:
    """The parameters of a function that can be passed by name, except its first argument."""
    parameters = _signature(function)
    positional = [
        p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    takes_more = any(p.kind is Parameter.VAR_POSITIONAL for p in parameters)
    if not positional and not takes_more:
        raise TransformError(
            f"{_name_of(function)} is not a transform: it has no positional argument for the value"
        )
    if takes_more:
        what = (
            "its varargs remain empty" if positional else "it has only varargs, so it receives only the value"
        )
        warnings.warn(f"{_name_of(function)}: {what}", stacklevel=4)
    taken = {p.name for p in positional[:1]}
    if isinstance(function, partial):
        taken |= function.keywords.keys()
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return [p for p in parameters if p.kind in named and p.name not in taken]


def _signature(function: Any) -> list[Parameter]:
    if not callable(function):
        raise TransformError(f"{function!r} is not a transform: it is not callable")
    try:
        # The signature of a module itself is that of a wrapper.
        known = inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except (TypeError, ValueError):  # some functions written in C have no signature
        return [Parameter("value", Parameter.POSITIONAL_ONLY)]
    return list(known.parameters.values())


def _name_of(function: Any) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
