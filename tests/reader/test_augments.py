"""Augments yield the same samples as the augments of datadings, in the same order, and can be nested."""

import math
from functools import cache
from itertools import count, islice
from random import Random

import datadings.reader as theirs
import msgpack
import pytest
from datasets import write
from hypothesis import given, settings
from hypothesis import strategies as st

import ddfast.reader as ours
from ddfast.reader import Augment, Cycler, MsgpackReader, QuasiShuffler, Range, Reader, Repeater, Shuffler

SIZES = [0, 1, 2, 7, 16, 17, 33, 50]
sizes = st.sampled_from(SIZES)
seeds = st.none() | st.integers(-5, 5) | st.sampled_from([2**70, 1.5])


class Listed(Reader):
    """A reader of indices that reads nothing ahead."""

    def __init__(self, n):
        super().__init__()
        self._n = n

    def __len__(self):
        return self._n

    def __contains__(self, key):
        return True

    def __exit__(self, *exc):
        pass

    def find_key(self, index):
        return str(index)

    def find_index(self, key):
        return int(key)

    def get(self, index, yield_key=False, raw=False, copy=True):
        sample = {"key": str(index), "i": index}
        given = msgpack.packb(sample) if raw else sample
        return (str(index), given) if yield_key else given

    def slice(self, start, stop=None, yield_key=False, raw=False, copy=True):
        return (self.get(i, yield_key, raw) for i in range(*slice(start, stop).indices(self._n)))


@pytest.fixture(scope="module")
def path_of(tmp_path_factory):
    """``path_of(n)``: a dataset of n samples."""
    folder = tmp_path_factory.mktemp("augments")
    return cache(
        lambda n: write(folder / f"{n}.msgpack", [{"key": str(i), "i": i} for i in range(n)], "ddfast")
    )


@pytest.fixture(scope="module")
def readers_of(path_of):
    """``readers_of(n)``: fresh readers of n samples, of datadings and of both of our kinds."""
    return lambda n: (theirs.MsgpackReader(path_of(n)), MsgpackReader(path_of(n)), Listed(n))


def sides(readers):
    """Each reader with the package that its augments come from."""
    return zip((theirs, ours, ours), readers, strict=True)


def given_by(samples, most=None):
    return [sample["i"] for sample in islice(samples, most)]


def from_batches(augment, batch_size, most=None):
    return list(islice((i for batch in augment.batches(batch_size) for i in batch["i"].tolist()), most))


# -- as datadings


@given(n=sizes, seed=seeds, passes=st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_a_shuffler_goes_on_as_that_of_datadings(readers_of, n, seed, passes):
    augments = [kind.Shuffler(reader, seed) for kind, reader in sides(readers_of(n))]
    for most in [*passes, None, None]:
        expected, *given_ones = [given_by(augment, most) for augment in augments]
        assert given_ones == [expected, expected]


@given(n=sizes.filter(bool), seed=seeds, data=st.data())
def test_a_shuffler_seeks_as_that_of_datadings(readers_of, n, seed, data):
    index = data.draw(st.integers(0, n - 1))
    expected, *given_ones = [
        seek_and_read(kind.Shuffler(reader, seed), index) for kind, reader in sides(readers_of(n))
    ]
    assert given_ones == [expected, expected]


def seek_and_read(augment, index):
    augment.seek(index)
    return given_by(augment), given_by(augment)


buffers = st.sampled_from([0.01, 1, 2.5, 10, 16, 33, 1000])
chunks = st.sampled_from([1, 2, 3, 16, 20, 100])


@given(n=sizes, seed=seeds, buf_size=buffers, chunk_size=chunks)
def test_a_quasi_shuffler_gives_the_order_of_that_of_datadings(readers_of, n, seed, buf_size, chunk_size):
    augments = [
        kind.QuasiShuffler(reader, buf_size, chunk_size, seed) for kind, reader in sides(readers_of(n))
    ]
    for name in ("buf_size", "chunk_size", "num_chunks"):
        assert len({getattr(augment, name) for augment in augments}) == 1
    for _ in range(3):
        expected, *given_ones = [given_by(augment) for augment in augments]
        assert given_ones == [expected, expected]
        assert sorted(expected) == list(range(n))


@given(n=sizes.filter(bool), buf_size=buffers, chunk_size=chunks, data=st.data())
def test_a_quasi_shuffler_that_is_broken_off_goes_on_with_the_rest_of_the_pass(
    readers_of, n, buf_size, chunk_size, data
):
    theirs_reader, *own = readers_of(n)
    whole = theirs.QuasiShuffler(theirs_reader, buf_size, chunk_size, 3)
    first, second, third = [given_by(whole) for _ in range(3)]
    most, index = data.draw(st.integers(1, n)), data.draw(st.integers(0, n - 1))
    for reader in own:
        augment = QuasiShuffler(reader, buf_size, chunk_size, 3)
        assert given_by(augment, most) == first[:most]
        assert given_by(augment) == first[most - 1 :]
        assert given_by(augment) == second
        augment.seek(2 * n + index)
        assert given_by(augment) == third[index:]


def test_breaking_off_and_seeking_in_the_midst_of_chunks_is_as_in_datadings(readers_of):
    n, middles = 50, [i for i in range(50) if i % 4 == 1]
    for index in middles:
        expected, *given_ones = [
            seek_and_read(kind.QuasiShuffler(reader, 8, 4, 1), index) for kind, reader in sides(readers_of(n))
        ]
        assert given_ones == [expected, expected]


@given(n=sizes.filter(bool), data=st.data())
def test_a_range_has_the_samples_of_that_of_datadings(readers_of, n, data):
    start = data.draw(st.integers(-n, n - 1))
    stop = data.draw(st.none() | st.integers(-n - 3, n + 3))
    augments = [kind.Range(reader, start, stop) for kind, reader in sides(readers_of(n))]
    for _ in range(2):
        expected, *given_ones = [given_by(augment) for augment in augments]
        assert given_ones == [expected, expected]
    assert [(augment.start, augment.stop) for augment in augments[1:]] == [
        (augments[0].start, augments[0].stop)
    ] * 2
    assert len(augments[1]) == len(expected)


@pytest.mark.parametrize("start", [5, 6, -6])
def test_a_range_refuses_a_start_that_is_no_sample(start):
    for kind, reader in ((theirs, theirs.ListReader([{"key": i} for i in range(5)])), (ours, Listed(5))):
        with pytest.raises(IndexError, match=r"out of range for length 5 reader"):
            kind.Range(reader, start)


def again(kind, inner, times):
    return kind.Repeater(inner, times) if times is not None else kind.Cycler(inner)


INNER = {
    "reader": lambda kind, reader: reader,
    "Shuffler": lambda kind, reader: kind.Shuffler(reader, 5),
    "QuasiShuffler": lambda kind, reader: kind.QuasiShuffler(
        reader, 32, 16, 5
    ),  # datadings sets the chunk size to 16 anyway
    "Repeater": lambda kind, reader: kind.Repeater(reader, 2),
    "Repeater of a Shuffler": lambda kind, reader: kind.Repeater(kind.Shuffler(reader, 5), 2),
}


@pytest.mark.parametrize("inner", INNER)
@given(
    n=sizes.filter(bool),
    times=st.none() | st.integers(0, 3),
    index=st.none() | st.integers(0, 49),
    most=st.lists(st.integers(0, 120), min_size=1, max_size=3),
)
@settings(max_examples=30)
def test_repeating_and_cycling_are_as_in_datadings(readers_of, inner, n, times, index, most):
    if "Quasi" in inner:
        index, most = None, [100]  # datadings goes wrong where it is broken off between chunks
    augments = [again(kind, INNER[inner](kind, reader), times) for kind, reader in sides(readers_of(n))]
    if index is not None and times != 0:
        for augment in augments:
            augment.seek(index % n)
    for m in most:
        expected, *given_ones = [given_by(augment, m) for augment in augments]
        assert given_ones == [expected, expected]


def test_a_cycler_goes_on_where_the_reader_is(readers_of):
    for kind, reader in sides(readers_of(7)):
        reader.seek(5)
        assert given_by(kind.Cycler(reader), 4) == [5, 6, 0, 1]
        assert given_by(kind.Cycler(reader), 2) == [2, 3]


# -- nesting: every augment of every augment, as operations on lists


class Passes:
    """What an augment ought to do: pass `k` as a list, and how many of them an iterator gives."""

    def __init__(self, make, n, rounds=1):
        self.make, self.n, self.rounds = make, n, rounds

    def all_from(self, position):
        """What an iterator gives."""
        if self.n == 0:
            return
        number, i = divmod(position, self.n)
        for k in islice(count(number), self.rounds):
            yield from self.make(k)[i:]
            i = 0


def listed_shuffle(samples, seed):
    samples = list(samples)
    Random(seed).shuffle(samples)
    return samples


def listed_quasi_shuffle(samples, buf_size, chunk_size, seed):
    random = Random(seed)
    order = list(range(math.ceil(len(samples) / chunk_size)))
    random.shuffle(order)
    pieces = [samples[c * chunk_size : (c + 1) * chunk_size] for c in order]
    buffered = math.ceil(buf_size / chunk_size)
    buffer, given_out = [s for piece in pieces[:buffered] for s in piece], []
    for sample in [s for piece in pieces[buffered:] for s in piece]:
        place = random.randrange(len(buffer))
        given_out.append(buffer[place])
        buffer[place] = sample
    return given_out + buffer


AUGMENTS = {
    "Range": (
        lambda r: Range(r, 2, -1),
        lambda m: Passes(lambda k: m.make(k)[2:-1], max(0, m.n - 3)),
    ),
    "Shuffler": (
        lambda r: Shuffler(r, 3),
        lambda m: Passes(lambda k: listed_shuffle(m.make(k), 3 + k * m.n), m.n),
    ),
    "QuasiShuffler": (
        lambda r: QuasiShuffler(r, 6, 3, 4),
        lambda m: Passes(lambda k: listed_quasi_shuffle(m.make(k), 6, 3, 4 + k * m.n), m.n),
    ),
    "Repeater": (
        lambda r: Repeater(r, 2),
        lambda m: Passes(lambda k: m.make(2 * k) + m.make(2 * k + 1), 2 * m.n, m.rounds and 1),
    ),
    "Cycler": (Cycler, lambda m: Passes(m.make, m.n, None)),
}
PAIRS = [(outer, inner) for outer in AUGMENTS for inner in AUGMENTS]
TRIPLES = [
    ("Shuffler", "Range", "Shuffler"),
    ("Repeater", "QuasiShuffler", "Repeater"),
    ("Range", "Cycler", "Shuffler"),
    ("QuasiShuffler", "Repeater", "Range"),
    ("Repeater", "Repeater", "Shuffler"),
    ("Cycler", "Repeater", "QuasiShuffler"),
]


@pytest.fixture(params=["MsgpackReader", "another reader"])
def new_reader(request, readers_of):
    return lambda n: readers_of(n)[1 if request.param == "MsgpackReader" else 2]


@pytest.mark.parametrize("names", [*PAIRS, *TRIPLES], ids=" of ".join)
def test_augments_nest_like_operations_on_lists(new_reader, names):
    augment, model = new_reader(17), Passes(lambda k: list(range(17)), 17)
    for name in reversed(names):
        wrap, wrap_model = AUGMENTS[name]
        augment, model = wrap(augment), wrap_model(model)
    n = len(augment)
    assert n == model.n
    expected = list(islice(model.all_from(0), 200))
    assert given_by(augment, 200) == expected
    augment.seek(0)
    assert from_batches(augment, 5, 200) == expected
    augment.seek(n - 2)
    assert given_by(augment, 60) == list(islice(model.all_from(n - 2), 60))
    augment.seek(n - 2)
    assert from_batches(augment, 4, 60) == list(islice(model.all_from(n - 2), 60))


@pytest.mark.parametrize("name", ["Range", "Shuffler", "QuasiShuffler"])
def test_augments_seek_through_all_passes(new_reader, name):
    wrap, wrap_model = AUGMENTS[name]
    augment, model = wrap(new_reader(33)), wrap_model(Passes(lambda k: list(range(33)), 33))
    n = len(augment)
    for index in (0, n - 1, n, 3 * n + 4, 10**6 * n + 1):
        augment.seek(index)
        assert given_by(augment) == list(model.all_from(index))
        assert given_by(augment, 3) == list(islice(model.all_from((index // n + 1) * n), 3))


def test_repeaters_seek_through_all_that_they_repeat(new_reader):
    inner = Shuffler(new_reader(7), 1)
    whole = given_by(Repeater(Shuffler(new_reader(7), 1), 3))
    for index in (0, 6, 7, 15, 20, 21):
        repeater = Repeater(inner, 3)
        repeater.seek(index)
        assert given_by(repeater) == whole[index % 21 :]
        repeater.seek(index)
        assert from_batches(repeater, 4) == whole[index % 21 :]


def test_seeking_in_a_range_is_for_one_iterator(new_reader):
    augment = Range(new_reader(17), 3, 9)
    augment.seek(4)
    assert given_by(augment) == [7, 8]
    assert given_by(augment) == [3, 4, 5, 6, 7, 8]


@given(n=sizes.filter(bool), left=st.integers(1, 20))
def test_a_range_begins_again_wherever_it_was_left(readers_of, n, left):
    augments = [kind.Range(reader, n // 3) for kind, reader in sides(readers_of(n))]
    for most in (left, None, left, left):
        expected, *given_ones = [given_by(augment, most) for augment in augments]
        assert given_ones == [expected, expected]


def test_lengths_are_those_of_a_pass(new_reader):
    reader = new_reader(17)
    lengths = [len(augment) for augment in (Shuffler(reader), QuasiShuffler(reader), Cycler(reader))]
    assert lengths == [17, 17, 17]
    assert len(Range(reader, 3, 5)) == 2
    assert len(Range(reader, 5, 3)) == 0
    assert len(Repeater(reader, 4)) == 68


@pytest.mark.parametrize("wrap", [Shuffler, QuasiShuffler, Cycler, lambda r: Repeater(r, 10**12)])
def test_augments_of_an_empty_reader_give_nothing(new_reader, wrap):
    augment = wrap(new_reader(0))
    assert list(augment) == list(augment.rawiter()) == list(augment.batches(4)) == []
    assert len(augment) == len(augment.batches(4)) == 0


def test_an_empty_range_gives_nothing(new_reader):
    augment = Range(new_reader(7), 5, 2)
    for wrap in (lambda r: r, Shuffler, QuasiShuffler, Cycler):
        assert list(wrap(augment)) == list(wrap(augment).batches(2)) == []


def test_a_fractional_buffer_is_a_fraction_of_the_samples(new_reader):
    reader = new_reader(50)
    assert QuasiShuffler(reader, 0.5, 5).buf_size == 25
    assert QuasiShuffler(reader, 0.5, 16).buf_size == 32
    assert QuasiShuffler(reader, 0.999, 1).buf_size == 50


def test_chunks_may_be_far_larger_than_the_dataset(new_reader):
    augment = QuasiShuffler(new_reader(17), 0.5, 1 << 62)
    assert sorted(given_by(augment)) == list(range(17))


def test_the_chunk_size_of_an_iterator_does_not_change_the_order(new_reader):
    augment = QuasiShuffler(new_reader(50), 8, 4, 1)
    expected = given_by(augment)
    augment.seek(0)
    assert given_by(augment.iter(chunk_size=7)) == expected


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda r: QuasiShuffler(r, 0), ValueError, "buf_size is 0, not a number of samples"),
        (lambda r: QuasiShuffler(r, -3), ValueError, "buf_size is -3"),
        (lambda r: QuasiShuffler(r, math.nan), ValueError, "buf_size is nan"),
        (lambda r: QuasiShuffler(r, math.inf), ValueError, "buf_size is inf"),
        (lambda r: QuasiShuffler(r, 4, 0), ValueError, "chunk_size is 0"),
        (lambda r: QuasiShuffler(r, 4, -1), ValueError, "chunk_size is -1"),
        (lambda r: Repeater(r, -1), ValueError, "times is -1"),
        (lambda r: Repeater(r, 1.5), TypeError, "integer"),
        (lambda r: Repeater(r, 0).seek(0), IndexError, "there are no samples"),
        (lambda r: Shuffler(r).seek(-1), IndexError, "index -1 is negative; positions of a Shuffler count"),
        (lambda r: QuasiShuffler(r).seek(-1), IndexError, "index -1 is negative"),
        (lambda r: Range(r).seek(-1), IndexError, "index -1 is negative"),
        (lambda r: Shuffler(r).seek(0.5), TypeError, "integer"),
        (lambda r: Shuffler(r).batches(0), ValueError, "batch_size is 0"),
        (lambda r: Cycler(r).batches(4, columns="i"), TypeError, "columns is 'i'"),
        (lambda r: QuasiShuffler(r).batches(4, columns="i"), TypeError, "columns is 'i'"),
        (lambda r: len(Cycler(r).batches(4)), TypeError, "Cycler of .* is endless"),
    ],
)
def test_arguments_out_of_range_are_refused(new_reader, make, error, message):
    with pytest.raises(error, match=message):
        make(new_reader(7))


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("chunk_size", [0, -1])
def test_chunk_sizes_below_1_are_refused(new_reader, name, chunk_size):
    with pytest.raises(ValueError, match=f"chunk_size is {chunk_size}"):
        AUGMENTS[name][0](new_reader(7)).iter(chunk_size=chunk_size)


def test_augments_are_named_by_what_they_wrap(new_reader):
    reader = new_reader(7)
    assert repr(Shuffler(Range(reader))) == f"<Shuffler of <Range of {reader!r}>>"


def test_the_base_class_says_what_an_augment_is():
    assert all(issubclass(getattr(ours, name), Augment) for name in AUGMENTS)
    assert set(theirs.augment.__all__) <= set(ours.__all__)
    with pytest.raises(TypeError, match="abstract"):
        Augment(Listed(3))
