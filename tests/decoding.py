"""Our decoder beside datadings' own, for the tests that compare them."""

import msgpack
import msgpack_numpy
import pytest
from compare import assert_same

from ddfast._native import status
from ddfast._native.decode import Decoder
from ddfast.errors import KernelError

DECODER = Decoder()  # shared, so that its caches meet all examples
ND = {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": (2,), b"data": bytes(8)}
SCALAR = {b"nd": False, b"type": "<f4", b"data": bytes(4)}


def outcome(unpack, data):
    """What `unpack` makes of `data`: (True, value), or (False, None)."""
    try:
        return True, unpack(data)
    except Exception:
        return False, None


def refuse_pickles(obj):
    if obj.get(b"nd") is True:
        kind = obj.get(b"kind")
        is_pickle = isinstance(kind, bytes) and kind == b"O"
        if not obj.keys() >= ({b"data"} if is_pickle else {b"type", b"shape", b"data"}):
            return obj  # no array; msgpack-numpy says so too, unless it has stumbled over the dtype before
        if is_pickle:
            raise ValueError("pickle")
    return msgpack_numpy.decode(obj)


def reference(data):
    """datadings' unpackb, but for pickles: random bytes must never be unpickled."""
    return msgpack.unpackb(data, strict_map_key=False, object_hook=refuse_pickles)


def assert_agreement(data):
    """Both decoders make the same value of a message, or both refuse it.

    Ours may also refuse a map with the reserved key of arrays where numpy finds some meaning in nonsense.
    """
    decoded, theirs = outcome(reference, data)
    also, ours = outcome(DECODER.unpack, data)
    if decoded and not also and b"nd" in data:
        assert failure(data)[0] == status.E_VALUE
        return
    assert also == decoded
    assert_same(ours, theirs)


def failure(data, decoder=DECODER):
    with pytest.raises(KernelError) as caught:
        decoder.unpack(data)
    return caught.value.code, caught.value.pos
