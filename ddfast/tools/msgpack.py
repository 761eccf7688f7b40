"""Packers and unpackers for the format: with numpy values, and with map keys of any type.

All functions have the arguments of the msgpack functions of the same name. Unpacking functions also have
``allow_pickle``: arrays of Python objects are stored as pickles, which are refused unless it is true.
"""

from __future__ import annotations

from functools import partial
from typing import IO, Any

import msgpack  # type: ignore[import-untyped]

from ddfast._util import nd

pack_kwargs: dict[str, Any] = {"default": nd.encode}
unpack_kwargs: dict[str, Any] = {"strict_map_key": False, "object_hook": nd.decode}


def make_packer(**kwargs: Any) -> msgpack.Packer:
    """A packer for several objects."""
    return msgpack.Packer(**_packing(kwargs))


def make_unpacker(*args: Any, allow_pickle: bool = False, **kwargs: Any) -> msgpack.Unpacker:
    """An unpacker for the messages in a stream."""
    return msgpack.Unpacker(*args, **_unpacking(allow_pickle, kwargs))


def pack(o: Any, stream: IO[bytes], **kwargs: Any) -> None:
    """Pack an object into a stream."""
    msgpack.pack(o, stream, **_packing(kwargs))


def packb(o: Any, **kwargs: Any) -> bytes:
    """Pack an object."""
    packed: bytes = msgpack.packb(o, **_packing(kwargs))
    return packed


def unpack(stream: IO[bytes], *, allow_pickle: bool = False, **kwargs: Any) -> Any:
    """Unpack the single message of a stream."""
    return msgpack.unpack(stream, **_unpacking(allow_pickle, kwargs))


def unpackb(packed: bytes, *, allow_pickle: bool = False, **kwargs: Any) -> Any:
    """Unpack the single message of a buffer."""
    return msgpack.unpackb(packed, **_unpacking(allow_pickle, kwargs))


def _packing(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**pack_kwargs, **kwargs}


def _unpacking(allow_pickle: bool, kwargs: dict[str, Any]) -> dict[str, Any]:
    pickles = {"object_hook": partial(nd.decode, allow_pickle=True)} if allow_pickle else {}
    return {**unpack_kwargs, **pickles, **kwargs}
