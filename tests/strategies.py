"""Hypothesis strategies for everything that a msgpack message can hold, as values and as bytes."""

import struct

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from msgpack import ExtType, Timestamp

INT_MIN, UINT_MAX = -(2**63), 2**64 - 1

# Where encodings change width, and the ends of the ranges.
EDGES = [
    0,
    1,
    -1,
    *(sign * 2**bits + d for bits in (5, 7, 8, 15, 16, 31, 32, 63) for sign in (1, -1) for d in (-1, 0, 1)),
]

integers = st.integers(INT_MIN, UINT_MAX) | st.sampled_from([e for e in [*EDGES, UINT_MAX] if e >= INT_MIN])
timestamps = st.builds(Timestamp, st.integers(INT_MIN, 2**63 - 1), st.integers(0, 10**9 - 1))
ext_types = st.builds(ExtType, st.integers(0, 127), st.binary(max_size=40))
names = st.sampled_from(["key", "label", "image", "ß", "", "x" * 31, "x" * 32, "x" * 70]) | st.text(
    max_size=12
)
binaries = st.binary(max_size=60) | st.sampled_from([b"nd", b"complex", b"data", bytes(255), bytes(256)])

# Values without numpy and without containers.
scalars = (
    st.none()
    | st.booleans()
    | integers
    | st.floats()
    | names
    | st.text(max_size=300)
    | binaries
    | ext_types
    | timestamps
)

# What may stand as a map's key; NaN may be there twice.
keys = names | binaries | integers | st.floats() | st.none() | st.booleans() | ext_types | timestamps


def trees(leaves, max_leaves=20):
    """Lists and maps of `leaves`, inside one another."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=max_leaves,
    )


# Values without numpy.
plain_values = trees(scalars)

_orders = st.sampled_from("<>")
simple_dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="<") | hnp.integer_dtypes(endianness=">"),
    hnp.unsigned_integer_dtypes(endianness="<") | hnp.unsigned_integer_dtypes(endianness=">"),
    hnp.floating_dtypes(endianness="<", sizes=(16, 32, 64))
    | hnp.floating_dtypes(endianness=">", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="<", sizes=(64, 128))
    | hnp.complex_number_dtypes(endianness=">", sizes=(64, 128)),
    st.builds("{}U{}".format, _orders, st.integers(1, 12)).map(np.dtype),
    st.builds("S{}".format, st.integers(1, 12)).map(np.dtype),
)
record_dtypes = st.lists(simple_dtypes, min_size=1, max_size=4).map(
    lambda parts: np.dtype([(f"f{i}", part) for i, part in enumerate(parts)])
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def arrays(draw, dtypes=simple_dtypes | record_dtypes):
    """Arrays of any shape, 0-d and empty ones included, whose bytes are random."""
    dtype, shape = draw(dtypes), draw(shapes)
    size = int(np.prod(shape)) * dtype.itemsize
    data = draw(st.binary(min_size=size, max_size=size)) if size < 200 else draw(st.randoms()).randbytes(size)
    if dtype.kind == "U" or (dtype.names and any(dtype[name].kind == "U" for name in dtype.names)):
        data = bytes(size)  # not every number is a character
    return np.ndarray(shape, dtype, data)


@st.composite
def numpy_scalars(draw):
    """numpy numbers and booleans in native byte order, from random bits."""
    dtype = np.dtype(draw(st.sampled_from("?bhilqBHILQefdFD")))
    if dtype.kind == "b":
        return np.bool_(draw(st.booleans()))
    return np.frombuffer(draw(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize)), dtype)[0]


# Everything that datadings can write.
values = trees(scalars | arrays() | numpy_scalars() | st.complex_numbers())
samples = st.builds(
    lambda key, rest: {"key": key, **rest},
    st.text(min_size=1, max_size=20),
    st.dictionaries(st.text(max_size=12).filter(lambda name: name != "key"), values, max_size=6),
)


# --- Bytes: every form of every type, the wasteful ones included ---


def _lengths(payload, fix, tags):
    """`payload` behind each header that can hold its length; `fix` is (first byte, limit) or None."""
    size = len(payload)
    if fix is not None and size < fix[1]:
        yield bytes([fix[0] | size]) + payload
    for tag, code in zip(tags, ("B", "H", "I")[-len(tags) :], strict=True):
        if size < 2 ** (8 * struct.calcsize(code)):
            yield struct.pack(f">B{code}", tag, size) + payload


def _wire_int(value):
    forms = [struct.pack("b", value)] if -32 <= value < 128 else []
    for tag, code in (
        (0xCC, "B"),
        (0xCD, "H"),
        (0xCE, "I"),
        (0xCF, "Q"),
        (0xD0, "b"),
        (0xD1, "h"),
        (0xD2, "i"),
        (0xD3, "q"),
    ):
        try:
            forms.append(struct.pack(f">B{code}", tag, value))
        except struct.error:
            continue
    return forms


def _wire_ext(kind, data):
    forms = [
        struct.pack(f">B{code}b", tag, len(data), kind) + data
        for tag, code in ((0xC7, "B"), (0xC8, "H"), (0xC9, "I"))
    ]
    if len(data) in (1, 2, 4, 8, 16):
        forms.append(struct.pack("Bb", 0xD4 + len(data).bit_length() - 1, kind) + data)
    return forms


def _pick(forms):
    return st.sampled_from(list(forms))


wire_scalars = st.one_of(
    st.sampled_from([b"\xc0", b"\xc2", b"\xc3"]),
    integers.flatmap(lambda v: _pick(_wire_int(v))),
    st.floats().map(lambda v: struct.pack(">Bd", 0xCB, v)),
    st.floats(width=32).map(lambda v: struct.pack(">Bf", 0xCA, v)),
    st.text(max_size=300).flatmap(lambda v: _pick(_lengths(v.encode(), (0xA0, 32), (0xD9, 0xDA, 0xDB)))),
    binaries.flatmap(lambda v: _pick(_lengths(v, None, (0xC4, 0xC5, 0xC6)))),
    st.tuples(st.integers(0, 127), st.binary(max_size=40)).flatmap(lambda v: _pick(_wire_ext(*v))),
    st.sampled_from([4, 8, 12]).flatmap(
        lambda n: st.binary(min_size=n, max_size=n).flatmap(lambda d: _pick(_wire_ext(-1, d)))
    ),
)


def _container(items, fix, tags):
    count = len(items) // 2 if fix == 0x80 else len(items)
    forms = [bytes([fix | count])] if count < 16 else []
    forms += [struct.pack(">BH", tags[0], count), struct.pack(">BI", tags[1], count)]
    return st.sampled_from(forms).map(lambda header: header + b"".join(items))


def _wire_containers(inner):
    arrays = st.lists(inner, max_size=18).flatmap(lambda items: _container(items, 0x90, (0xDC, 0xDD)))
    pairs = st.lists(st.tuples(wire_scalars, inner), max_size=18).map(
        lambda pairs: [part for pair in pairs for part in pair]
    )
    return arrays | pairs.flatmap(lambda items: _container(items, 0x80, (0xDE, 0xDF)))


# Well-formed messages in any legal encoding. Timestamps in them may have too many nanoseconds.
wire_messages = st.recursive(wire_scalars, _wire_containers, max_leaves=30)


@st.composite
def damaged(draw, messages):
    """Messages with a few bytes changed, cut, inserted or doubled."""
    data = bytearray(draw(messages))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["change", "cut", "insert", "tail", "double"]))
        if kind == "change" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 5))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=5))
        elif kind == "tail":
            del data[at:]
        else:
            data += data[at : at + 8]
    return bytes(data)
