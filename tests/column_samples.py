"""Samples for column tests: hypothesis strategies, and a batch made from them without a dataset."""

import string

import msgpack
import numpy as np
from datadings.tools.msgpack import packb
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ddfast._native.columns import build_table
from ddfast._native.decode import Decoder
from ddfast.batch import Batch
from ddfast.errors import CorruptSampleError


class Origin:
    """A dataset of generated samples: key ``k7`` at index 7."""

    def __init__(self):
        self.decoder = Decoder()
        self.asked = 0

    def keys_of(self, indices):
        self.asked += 1
        return [f"k{index}" for index in indices]

    def explain(self, error, index):
        return CorruptSampleError(f"sample {index}, byte {error.pos}: {error.reason}")


def batch_of(samples, names=None, *, first=0, pool=None, raw=False):
    return batch_of_packed([packb(sample) for sample in samples], names, first=first, pool=pool, raw=raw)


def batch_of_packed(packed, names=None, *, first=0, pool=None, raw=False):
    table = build_table(packed, names, pool, raw=raw)
    return Batch(table, np.arange(first, first + len(packed)), Origin())


INTS = st.integers(-(2**63), 2**64 - 1)
EDGES = st.sampled_from(
    [0, 127, 128, 2**15, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 2048]
)
NEGATIVE_EDGES = st.sampled_from([-1, -32, -33, -128, -129, -(2**15), -(2**31), -(2**53) - 1, -(2**63)])
DTYPES = st.sampled_from(["?", "i1", "u1", "<i2", ">i4", "<u8", "<f2", "<f4", ">f8", "<c8", "<c16"])
ODD_DTYPES = st.sampled_from(["S3", "<U2", "<f16", [("a", "<i4"), ("b", "<f4", (2,))]])
SHAPES = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def arrays_of(dtypes, shapes=SHAPES):
    return st.tuples(dtypes, shapes).flatmap(lambda form: npst.arrays(*form))


def scalars_of(dtype):
    return npst.arrays(dtype, ()).map(lambda array: array[()])


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    INTS,
    st.floats(),
    st.text(max_size=30),
    st.binary(max_size=30),
    st.complex_numbers(),
    arrays_of(DTYPES | ODD_DTYPES),
    DTYPES.flatmap(scalars_of),
    st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20)),
    st.builds(msgpack.Timestamp, st.integers(-(2**40), 2**40), st.integers(0, 10**9 - 1)),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)

# A field's values: one draw gives the strategy for all samples of a batch, so that every kind turns up.
FIELDS = st.one_of(
    st.sampled_from(
        [
            st.booleans(),
            st.integers(-(2**63), 2**63 - 1) | EDGES.filter(lambda i: i < 2**63) | NEGATIVE_EDGES,
            st.integers(0, 100),
            INTS,
            EDGES,
            NEGATIVE_EDGES,
            EDGES | st.floats(),
            st.floats(),
            st.floats(width=32) | st.integers(-1000, 1000),
            st.text(max_size=40),
            st.text(string.ascii_letters, max_size=300),
            st.binary(max_size=40),
            st.binary(max_size=300),
            st.complex_numbers(),
            arrays_of(DTYPES),
            arrays_of(DTYPES | ODD_DTYPES),
            st.none(),
            st.booleans() | st.integers(0, 1),
            st.text(max_size=3) | st.binary(max_size=3),
            VALUES,
        ]
    ),
    st.tuples(DTYPES | ODD_DTYPES, SHAPES).map(lambda form: npst.arrays(*form)),
    DTYPES.map(scalars_of),
)
NAMES = st.text(max_size=12) | st.sampled_from(["key", "image", "label", "a" * 40])
ODD_NAMES = (
    st.integers(-3, 300) | st.none() | st.booleans() | st.binary(max_size=4) | st.floats(allow_nan=False)
)


@st.composite
def samples(draw, names=NAMES):
    """Up to eight samples that share fields, some of which are missing now and then, or in another order."""
    fields = draw(st.dictionaries(names, FIELDS, max_size=4))
    rarely = st.integers(0, 19).map(lambda i: i == 13)
    gaps = draw(st.booleans())
    batch = []
    for _ in range(draw(st.integers(0, 8))):
        sample = {name: draw(values) for name, values in fields.items() if not (gaps and draw(rarely))}
        if draw(rarely):
            sample = dict(reversed(sample.items()))
        batch.append(draw(VALUES) if gaps and draw(rarely) else sample)
    return batch
