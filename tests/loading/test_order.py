"""The order of an epoch: a permutation that never changes."""

import hashlib
import math
from collections import Counter

import numpy as np
import pytest

from ddfast._native.order import Order

KINDS = [
    {"shuffle": False},
    {"shuffle": True, "seed": 5},
    {"shuffle": "block", "seed": 5, "block": 7, "window": 3},
    {"shuffle": "block", "seed": 5, "block": 1, "window": 1},
]


def whole(n, **kwargs):
    return Order(n, **kwargs).indices(0, n)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_sample_comes_once(kind):
    for n in [*range(1, 301), 4_096, 65_537, 1_000_003]:
        assert np.array_equal(np.sort(whole(n, **kind)), np.arange(n)), n


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_any_stretch_equals_that_of_the_whole(kind):
    order = Order(1000, **kind)
    everything = order.indices(0, 1000)
    for start in range(0, 980, 37):
        for stop in (start, start + 1, start + 13, 999, 1000):
            assert np.array_equal(order.indices(start, stop), everything[start:stop])


def test_far_positions_of_huge_datasets_are_inside():
    n = 2**61 + 12345
    for kind in ({"shuffle": True}, {"shuffle": "block", "block": 10**6, "window": 64}):
        indices = Order(n, seed=1, **kind).indices(n - 1000, n)
        assert len(set(indices.tolist())) == 1000
        assert indices.min() >= 0
        assert indices.max() < n


@pytest.mark.parametrize("kind", KINDS[1:3], ids=str)
def test_seed_and_epoch_change_the_order(kind):
    kind = {k: v for k, v in kind.items() if k != "seed"}
    orders = {whole(500, seed=s, epoch=e, **kind).tobytes() for s in range(6) for e in range(6)}
    assert len(orders) == 36


@pytest.mark.parametrize("n", [2, 3, 5, 16, 50])
def test_every_sample_is_as_likely_at_every_place(n):
    passes = 400 * n
    counts = np.zeros((n, n))
    for epoch in range(passes):
        counts[np.arange(n), whole(n, shuffle=True, seed=11, epoch=epoch)] += 1
    expected = passes / n
    chi_square = ((counts - expected) ** 2 / expected).sum()
    freedom = (n - 1) ** 2
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom) + 10


def test_neighbours_in_the_file_are_no_neighbours_in_the_order():
    n, seeds = 200, 400
    steps = np.zeros(n)
    for seed in range(seeds):
        order = whole(n, shuffle=True, seed=seed)
        steps += np.bincount((order[1:] - order[:-1]) % n, minlength=n)
    expected = seeds * (n - 1) / (n - 1)
    chi_square = ((steps[1:] - expected) ** 2 / expected).sum()
    assert steps[0] == 0
    assert chi_square < n + 5 * np.sqrt(2 * n)


GOLDEN = [
    (10, {"shuffle": True}, [8, 2, 9, 5, 4, 1, 3, 0, 6, 7]),
    (10, {"shuffle": True, "seed": 7, "epoch": 3}, [8, 0, 4, 7, 9, 1, 3, 2, 5, 6]),
    (10, {"shuffle": "block", "seed": 7, "block": 3, "window": 2}, [3, 2, 1, 8, 0, 9, 6, 7, 5, 4]),
]
GOLDEN_HASHES = [
    (100_000, {"shuffle": True, "seed": 2**64 - 1, "epoch": 9}, "3be5a74160224bb1"),
    (100_000, {"shuffle": "block", "seed": 1, "epoch": 2, "block": 100, "window": 64}, "c4009efc60b1ba17"),
]


@pytest.mark.parametrize(("n", "kind", "expected"), GOLDEN)
def test_orders_stay_as_they_were(n, kind, expected):
    assert whole(n, **kind).tolist() == expected


@pytest.mark.parametrize(("n", "kind", "expected"), GOLDEN_HASHES)
def test_long_orders_stay_as_they_were(n, kind, expected):
    assert hashlib.sha256(whole(n, **kind).astype("<i8").tobytes()).hexdigest()[:16] == expected


@pytest.mark.parametrize("n", [1000, 1003, 997])
def test_block_order_reads_few_stretches_of_the_file(n):
    block, window = 10, 8
    order = whole(n, shuffle="block", seed=3, block=block, window=window)
    for start in range(0, n, block * window):
        samples = np.sort(order[start : start + block * window])
        stretches = 1 + np.count_nonzero(np.diff(samples) > 1)
        assert stretches <= window + 1  # one block may wrap around the end of the file


def test_block_order_mixes_the_blocks_of_a_window():
    order = whole(6400, shuffle="block", seed=3, block=100, window=64)
    assert len(set((order[:100] // 100).tolist())) > 40


@pytest.mark.parametrize(("start", "stop"), [(0, 11), (10, 11), (11, 12)])
def test_positions_outside_are_refused(start, stop):
    for kind in KINDS:
        with pytest.raises(IndexError, match="10 positions"):
            Order(10, **kind).indices(start, stop)


def test_orders_of_nothing_are_empty():
    for kind in KINDS:
        assert len(Order(0, **kind)) == 0
        assert Order(0, **kind).indices(0, 0).shape == (0,)


@pytest.mark.parametrize("bad", [{"n": 2**62}, {"n": 5, "block": 0}, {"n": 5, "window": 0}])
def test_impossible_orders_are_refused(bad):
    with pytest.raises(ValueError, match="an order has"):
        Order(**bad)


@pytest.mark.parametrize("n", [3, 5, 6])
def test_every_permutation_of_few_samples_is_as_likely_as_any_other(n):
    times = 100
    seen = Counter(tuple(whole(n, shuffle=True, seed=seed)) for seed in range(times * math.factorial(n)))
    assert len(seen) == math.factorial(n)
    chi_square = sum((count - times) ** 2 / times for count in seen.values())
    assert chi_square / (math.factorial(n) - 1) < 1.5


def test_a_listed_order_is_the_list():
    order = Order.listed(np.array([7, 7, 0, 3]))
    assert len(order) == 4
    assert order.indices(1, 4).tolist() == [7, 0, 3]
    assert Order.listed(np.empty(0, np.int64)).indices(0, 0).tolist() == []
    with pytest.raises(IndexError, match="the order has 4 positions"):
        order.indices(0, 5)
