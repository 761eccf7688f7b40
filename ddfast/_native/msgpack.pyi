import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

MAX_DEPTH: int
"""Maximum number of nested arrays and maps in a message."""

def check(buffer: Buffer, *, utf8: bool = True) -> None:
    """Check that a buffer holds exactly one well-formed msgpack message.

    Parameters:
        buffer: contiguous bytes.
        utf8: check strings too.

    Raises:
        KernelError: with the code and the position of the first damage.
    """

def check_run(buffer: Buffer, ends: NDArray[np.uint64], *, utf8: bool = True) -> None:
    """Check that each of several consecutive samples is exactly one well-formed msgpack message.

    Parameters:
        buffer: contiguous bytes.
        ends: where each sample ends; the last one is the end of the buffer.
        utf8: check strings too.

    Raises:
        KernelError: `item` is the sample and `pos` the byte in it; E_SPAN if the ends are invalid.
    """

def split(buffer: Buffer) -> NDArray[np.uint64]:
    """Start of each of the consecutive messages in a buffer, and its end; uint64, shape ``(n + 1,)``.

    Raises:
        KernelError: with the number of whole messages before the damage as ``item``, and its position.
    """

def utf8(buffer: Buffer) -> bool:
    """Whether a buffer is valid UTF-8 (RFC 3629: no surrogates, no overlong forms)."""
