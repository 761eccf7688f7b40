"""What decoding may cost: memory, stack, references; and who may decode at the same time."""

import gc
import sys
import threading
import tracemalloc

import msgpack
import numpy as np
import pytest
from datadings.tools.msgpack import packb
from decoding import DECODER, ND, failure, outcome

from ddfast._native import status
from ddfast._native.decode import MAX_RARE_KEYS, Decoder
from ddfast._native.msgpack import MAX_DEPTH
from ddfast.errors import KernelError


def test_claimed_lengths_allocate_nothing():
    data = b"\xdd\x00\x0f\xff\x00" * 1000 + bytes(1 << 20)
    tracemalloc.start()
    try:
        assert failure(data)[0] == status.E_TRUNCATED
        assert tracemalloc.get_traced_memory()[1] < 16 * len(data)
    finally:
        tracemalloc.stop()


def test_deepest_message_decodes_on_a_small_stack():
    plain = b"\x91" * MAX_DEPTH + b"\x01"
    special = b"\x91" * (MAX_DEPTH - 2) + packb({b"shape": (2,), **ND})
    results = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(
            target=lambda: results.extend([DECODER.unpack(plain), DECODER.unpack(special)])
        )
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(results) == 2
    depth = 0
    inner = results[0]
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0]
    assert (depth, inner) == (MAX_DEPTH, 1)


def packed_map(keys):
    """A map of packed keys to None."""
    return b"\xdf" + len(keys).to_bytes(4, "big") + b"".join(key + b"\xc0" for key in keys)


# Complex numbers k whose hashes are all equal: hash(real) + 1000003 * hash(imag) is 0.
COLLIDING = [complex(-1000003.0 * k, k) for k in range(1, MAX_RARE_KEYS + 2)]


@pytest.mark.parametrize(
    "keys",
    [
        [packb(key) for key in COLLIDING],
        [packb(np.float32(i)) for i in range(MAX_RARE_KEYS + 1)],
        [packb(msgpack.Timestamp(i, 0)) for i in range(MAX_RARE_KEYS + 1)],
    ],
    ids=["complex", "numpy", "time"],
)
def test_keys_whose_hashes_anybody_can_make_equal_are_limited(keys):
    data = packed_map(keys)
    assert len(DECODER.unpack(packed_map(keys[:-1]))) == MAX_RARE_KEYS
    nested = b"\x92" + packed_map(keys[:-1]) + packed_map(keys[:-1])
    assert len(DECODER.unpack(nested)) == 2
    code, position = failure(data)
    assert (code, position) == (status.E_VALUE, data.rindex(keys[-1]))
    with pytest.raises(
        KernelError, match="more than 1,024 keys that are complex numbers, numpy scalars or times"
    ):
        DECODER.unpack(data)


def test_common_keys_are_not_limited():
    keys = [5.5 + i for i in range(2000)] + list(range(2000)) + [str(i) for i in range(2000)]
    keys += [msgpack.ExtType(7, str(i).encode()) for i in range(2000)] + [b"%d" % i for i in range(2000)]
    keys += [None, True]  # True replaces 1
    assert list(DECODER.unpack(packed_map([packb(key) for key in keys]))) == list(dict.fromkeys(keys))


def test_failures_release_what_was_built():
    array = np.dtype("<f4")
    messages = [
        packb(["x" * 100, {"a": [1.5, ND], b"b": object_array()}]),
        packb({"a": [2**70 // 3**30, "text" * 9, ND]})[:-1],
        b"\x92" + packb({"k": [1.5] * 9}) + b"\x81\x91\x05\xa5hello",
        b"\x91\x82\xa1k\xa1v\xa1j\xd5\xff\x00\x00",
    ]
    for data in messages:
        outcome(DECODER.unpack, data)
    gc.collect()
    before = sys.getallocatedblocks(), sys.getrefcount(array)
    for _ in range(200):
        for data in messages:
            assert not outcome(DECODER.unpack, data)[0]
    gc.collect()
    assert sys.getallocatedblocks() - before[0] < 100


def object_array():
    return np.array([None, "x"], dtype=object)


def test_successes_release_what_was_built():
    sample = {
        "key": "k",
        "v": np.arange(3),
        "s": np.float32(1),
        "c": 1j,
        "t": msgpack.Timestamp(1, 2),
        "x": [None, True] * 9,
    }
    data = packb(
        {**sample, "r": np.zeros(2, "i4,f4"), "e": msgpack.ExtType(1, b"x"), 5: b"y", "u": 2**64 - 1}
    )
    DECODER.unpack(data)
    gc.collect()
    before = sys.getallocatedblocks()
    references = sys.getrefcount(None)
    for _ in range(500):
        DECODER.unpack(data)
    gc.collect()
    assert sys.getallocatedblocks() - before < 100
    assert sys.getrefcount(None) - references < 100


def test_decoder_may_be_used_while_it_decodes():
    """Unpickling runs Python code, which may come back to the same decoder."""
    decoder = Decoder(allow_pickle=True)
    Reentrant.decoder = decoder
    data = packb({"a": [1, np.array([Reentrant()], dtype=object)], "b": 2})
    value = decoder.unpack(data)
    assert value["b"] == 2
    assert value["a"][1][0] == {"inner": [1, 2]}


class Reentrant:
    decoder = None

    def __reduce__(self):
        return reenter, ()


def reenter():
    return Reentrant.decoder.unpack(packb({"inner": [1, 2]}))


def test_threads_may_share_a_decoder():
    sample = {f"k{i}": np.full(3, i, "f4") for i in range(40)}
    data = packb(sample)
    failures = []

    def work():
        for _ in range(200):
            value = DECODER.unpack(data)
            if any(value[f"k{i}"][0] != i for i in range(40)):
                failures.append(value)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
