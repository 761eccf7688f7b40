"""Random numbers in bulk equal those that Python's generator draws one at a time."""

from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddfast._native.shuffle import below, exchange, exchange_objects, shuffle
from ddfast.errors import KernelError
from ddfast.reader import Shuffler
from ddfast.reader.augment.draws import Draws

SEEDS = st.integers() | st.floats(allow_nan=False)  # NaN has a hash of its own in each place


def shuffled(random, n):
    items = list(range(n))
    random.shuffle(items)
    return items


@given(n=st.integers(0, 2000), seed=SEEDS)
def test_a_permutation_is_what_shuffle_makes_of_a_range(n, seed):
    assert Draws(seed).permutation(n).tolist() == shuffled(Random(seed), n)


def test_a_permutation_of_a_million_is_what_shuffle_makes_of_it():
    assert Draws(7).permutation(10**6).tolist() == shuffled(Random(7), 10**6)


@given(bound=st.integers(1, 2**32 - 1), count=st.integers(0, 300), seed=SEEDS)
@example(bound=2**31, count=300, seed=0)
@example(bound=2**32 - 1, count=300, seed=0)
@example(bound=1, count=300, seed=0)
def test_numbers_below_a_bound_are_those_of_randrange(bound, count, seed):
    random = Random(seed)
    assert Draws(seed).below(bound, count).tolist() == [random.randrange(bound) for _ in range(count)]


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(1, 300)), max_size=6), seed=st.integers())
def test_draws_of_both_kinds_follow_each_other_as_in_python(steps, seed):
    draws, random = Draws(seed), Random(seed)
    for is_permutation, n in steps:
        if is_permutation:
            assert draws.permutation(n).tolist() == shuffled(random, n)
        else:
            assert draws.below(n, n).tolist() == [random.randrange(n) for _ in range(n)]


def test_more_draws_than_words_are_made_at_once_are_the_same():
    random = Random(1)
    assert Draws(1).below(5, 200_000).tolist() == [random.randrange(5) for _ in range(200_000)]


@pytest.mark.parametrize("n", [2**32, 2**70])
def test_more_samples_than_a_word_can_number_are_refused(n):
    with pytest.raises(ValueError, match=rf"{n:,} samples cannot be shuffled: the limit"):
        Draws(0).permutation(n)
    with pytest.raises(ValueError, match=rf"{n:,} samples cannot be shuffled: the limit"):
        Draws(0).below(n, 1)


@pytest.mark.parametrize("seed", ["7", b"7", [7], 1j])
def test_seeds_that_are_no_numbers_are_refused(seed):
    with pytest.raises(TypeError, match="not a number: the number of the pass is added to it"):
        Shuffler([1, 2], seed)


def test_seeds_may_be_numpy_integers():
    assert Shuffler([1, 2], np.int64(7))._seed == 7


# -- the binding


def test_no_number_is_below_0():
    with pytest.raises(ValueError, match="bound must be at least 1"):
        below(np.zeros(1, np.uint32), 0, np.zeros(1, np.uint32))


def test_more_items_than_there_are_cannot_be_shuffled():
    with pytest.raises(ValueError, match=r"left is 3, not at most the number of items \(2\)"):
        shuffle(np.zeros(1, np.uint32), np.zeros(2, np.int64), 3)


def test_an_exchange_takes_as_many_draws_as_items():
    draws = np.zeros(1, np.uint32)
    with pytest.raises(ValueError, match=r"\(2\) must equal the number of draws \(1\)"):
        exchange(np.zeros(1, np.int64), np.zeros(2, np.int64), draws)
    with pytest.raises(ValueError, match=r"\(2\) must equal the number of draws \(1\)"):
        exchange_objects([None], [None, None], draws)


def test_a_draw_outside_the_buffer_is_refused():
    draws = np.array([0, 2], np.uint32)
    with pytest.raises(KernelError, match="a draw is not a place of the buffer") as caught:
        exchange(np.zeros(2, np.int64), np.zeros(2, np.int64), draws)
    assert caught.value.item == 1
    with pytest.raises(IndexError, match="draw 2 out of range: the buffer has 2 places"):
        exchange_objects([None, None], [1, 2], draws)


@given(places=st.integers(1, 20), count=st.integers(0, 50), seed=st.integers(0, 99))
def test_an_exchange_of_indices_is_one_of_objects(places, count, seed):
    draws = np.random.default_rng(seed).integers(0, places, count).astype(np.uint32)
    buffer, incoming = np.arange(places), np.arange(places, places + count)
    slots, items = buffer.tolist(), incoming.tolist()
    exchange_objects(slots, items, draws)
    assert exchange(buffer, incoming, draws).tolist() == items
    assert buffer.tolist() == slots
    assert sorted(slots + items) == list(range(places + count))
