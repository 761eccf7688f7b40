"""Signatures of constructors that take the fields of an options tuple as keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from inspect import Signature

__all__ = ["OptionsSignature"]


class OptionsSignature:
    """The ``__signature__`` of a class whose ``__init__`` takes options as ``**arguments``.

    `inspect.signature` then shows each option with its default. The signature is made on access, because importing
    `inspect` takes longer than opening a dataset.

    Parameters:
        options: the tuple whose fields are the options.
    """

    def __init__(self, options: type[NamedTuple]) -> None:
        self._options: Any = options

    def __set_name__(self, owner: Any, name: str) -> None:
        self._init = owner.__init__

    def __get__(self, instance: object | None, owner: Any) -> Signature:
        if instance is not None or owner.__init__ is not self._init:
            raise AttributeError(
                "__signature__"
            )  # of an instance, or of a subclass with a constructor of its own
        from inspect import Parameter, signature

        own = signature(self._init)
        parameters = [p for p in own.parameters.values() if p.kind is not Parameter.VAR_KEYWORD][1:]
        types, defaults = self._options.__annotations__, self._options._field_defaults
        parameters += [
            Parameter(name, Parameter.KEYWORD_ONLY, default=defaults[name], annotation=_text(types[name]))
            for name in self._options._fields
        ]
        return own.replace(parameters=parameters)


def _text(annotation: Any) -> str:
    """An annotation as it is written in the source; NamedTuple stores it as a ForwardRef."""
    return annotation if isinstance(annotation, str) else annotation.__forward_arg__
