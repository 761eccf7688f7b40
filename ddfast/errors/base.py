"""Base of all errors, and the error of the native kernels."""

from __future__ import annotations

from typing import Any

__all__ = ["DdfastError", "KernelError"]


class DdfastError(Exception):
    """Base of all errors of ddfast."""

    __module__ = "ddfast.errors"

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if cls.__module__.startswith("ddfast.errors."):
            cls.__module__ = "ddfast.errors"  # the public name, in tracebacks and pickles

    def __str__(self) -> str:
        # KeyError prints the repr of its message.
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


class KernelError(DdfastError, ValueError):
    """A native kernel refused its input. Readers convert it to an error that names file and sample.

    Attributes:
        code: status of the kernel, one of the DDF_E_* values of csrc/ddf_common.h.
        reason: what is wrong, without the position.
        item: number of the input in a bulk call, from 0.
        pos: byte position within that input.
    """

    def __init__(self, code: int, reason: str, item: int = 0, pos: int = 0) -> None:
        super().__init__(f"{reason} (input {item}, byte {pos})")
        self.code = code
        self.reason = reason
        self.item = item
        self.pos = pos

    def __reduce__(self) -> tuple[type[KernelError], tuple[int, str, int, int]]:
        return type(self), (self.code, self.reason, self.item, self.pos)
