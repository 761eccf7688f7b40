"""The checksum of samples equals that of the reference library."""

import numpy as np
import pytest
import xxhash

from ddfast._native.xxh3 import checksum, checksums
from ddfast.errors import KernelError

LENGTHS = [*range(600), *range(1000, 2200), 4096, 1 << 16, 105_001]


def test_checksums_are_those_of_xxhash():
    data = np.random.default_rng(0).bytes(max(LENGTHS) + 7)
    for length in LENGTHS:
        start = length % 8
        sample = data[start : start + length]
        assert checksum(sample) == xxhash.xxh3_64_intdigest(sample), length


def test_samples_back_to_back():
    sizes = np.array([0, 5, 300, 0, 1000, 1], np.uint64)
    data = np.random.default_rng(1).bytes(int(sizes.sum()))
    ends = np.cumsum(sizes).tolist()
    expected = [
        xxhash.xxh3_64_intdigest(data[end - size : end])
        for end, size in zip(ends, sizes.tolist(), strict=True)
    ]
    assert checksums(data, sizes).tolist() == expected
    assert checksums(b"", np.empty(0, np.uint64)).tolist() == []


@pytest.mark.parametrize("sizes", [[5], [2, 3], [2, 2**64 - 1]])
def test_samples_that_end_behind_the_data_are_refused(sizes):
    with pytest.raises(KernelError, match="a sample ends after the end of the data") as caught:
        checksums(b"1234", np.array(sizes, np.uint64))
    assert caught.value.item == len(sizes) - 1
