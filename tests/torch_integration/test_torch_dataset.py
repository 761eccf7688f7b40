"""Dataset and IterableDataset: the samples of datadings, and each of them once, however many processes share them."""

import pickle
import random
import sys
from itertools import chain, islice
from types import SimpleNamespace

import pytest
from datadings.reader import ListReader
from datasets import damage, some_samples, write
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_helpers import Counting, FakeInfo, double

torch = pytest.importorskip("torch", reason="torch is not installed")

import ddfast.torch.place  # noqa: E402
from ddfast.errors import CallbackError, CorruptSampleError, ImageError, MissingFieldError, UnevenBatchesError  # noqa: E402
from ddfast.reader import MsgpackReader  # noqa: E402
from ddfast.torch import Compose, CompressedToPIL, Dataset, IterableDataset, dict2tuple, no_rng  # noqa: E402


class Elsewhere:
    """Be another rank and another worker, for both packages."""

    def __init__(self, rank=0, world_size=1, worker=None, workers=1):
        self.values = {
            "is_initialized": lambda: world_size > 1,
            "get_rank": lambda group=None: rank,
            "get_world_size": lambda group=None: world_size,
        }
        info = None if worker is None else FakeInfo(worker, workers)
        self.worker = {"get_worker_info": lambda: info}
        self.patch = pytest.MonkeyPatch()

    def __enter__(self):
        for name, value in self.values.items():
            self.patch.setattr(torch.distributed, name, value)
        self.patch.setattr(ddfast.torch.place, "get_worker_info", self.worker["get_worker_info"])
        reference = sys.modules.get("datadings.torch")
        if reference is not None:
            for name, value in {**self.values, **self.worker}.items():
                self.patch.setattr(reference, name, value)

    def __exit__(self, *_):
        self.patch.undo()


def everywhere(world_size, workers):
    return [(rank, worker) for rank in range(world_size) for worker in range(workers)]


def numbers(n):
    return ListReader([{"key": str(i), "at": i} for i in range(n)])


def at(samples):
    return [sample["at"] for sample in samples]


PARTS = {
    "n": st.integers(1, 300),
    "world_size": st.integers(1, 5),
    "workers": st.integers(1, 5),
    "batch_size": st.none() | st.integers(1, 40),
    "epoch": st.integers(0, 12),
}


def outcome(dataset, work):
    """What comes of it, or that the dataset refuses."""
    try:
        return work(dataset)
    except RuntimeError:
        return "refused"
    except IndexError:
        return []  # datadings, for an empty part at the end


def bounds_of(n, world_size, workers, rank):
    """Where the parts of the workers of a rank begin and end."""
    size = n / (world_size * workers)
    parts = range(rank * workers, (rank + 1) * workers)
    return [(round(size * part), round(size * (part + 1))) for part in parts]


@settings(max_examples=150, deadline=None)
@given(**PARTS)
def test_parts_are_those_of_datadings(n, world_size, workers, batch_size, epoch):
    reference = pytest.importorskip("datadings.torch", reason="datadings.torch needs PIL and simplejpeg")
    for rank, worker in everywhere(world_size, workers):
        with Elsewhere(rank, world_size, worker, workers):
            ours = IterableDataset(numbers(n), batch_size=batch_size, epoch=epoch)
            theirs = reference.IterableDataset(numbers(n), batch_size=batch_size, epoch=epoch)
            for _ in range(2):
                delivered, expected = outcome(ours, at), outcome(theirs, at)
                if (
                    expected == "refused" and delivered != "refused"
                ):  # they also refuse if only workers differ
                    theirs.epoch += 1
                else:
                    assert delivered == expected
                assert ours.epoch == theirs.epoch
                assert outcome(theirs, len) in (len(ours), "refused")


@settings(max_examples=100, deadline=None)
@given(**PARTS, kind=st.sampled_from([numbers, Counting]))
def test_every_sample_comes_once_an_epoch_or_the_epoch_is_refused(
    n, world_size, workers, batch_size, epoch, kind
):
    delivered = []
    for rank, worker in everywhere(world_size, workers):
        with Elsewhere(rank, world_size, worker, workers):
            dataset = IterableDataset(kind(n), batch_size=batch_size, epoch=epoch)
            delivered.append(outcome(dataset, at))
    sizes = [
        [stop - start for start, stop in bounds_of(n, world_size, workers, r)] for r in range(world_size)
    ]
    batches = {sum(-(-size // (batch_size or 1)) for size in rank) for rank in sizes}
    if "refused" in delivered:
        assert delivered == ["refused"] * len(delivered)
        assert len(batches) > 1
    else:
        assert sorted(chain.from_iterable(delivered)) == list(range(n))
        assert batch_size is None or len(batches) == 1


def test_ranks_cycle_through_the_parts():
    parts = []
    for rank in range(3):
        with Elsewhere(rank, 3):
            dataset = IterableDataset(numbers(12))
            parts.append([at(dataset) for _ in range(4)])
    first = [list(range(start, start + 4)) for start in (0, 4, 8)]
    assert parts == [[first[(rank + epoch) % 3] for epoch in range(4)] for rank in range(3)]


def test_workers_of_one_rank_may_have_different_numbers_of_batches():
    for workers in range(1, 6):
        parts = []
        for worker in range(workers):
            with Elsewhere(worker=worker, workers=workers):
                parts += at(IterableDataset(numbers(153), batch_size=4))
        assert parts == list(range(153))


def test_uneven_ranks_are_refused_before_anything_is_read():
    dataset = IterableDataset(numbers(9), batch_size=4)
    dataset.world_size = 2
    with Elsewhere(worker=0, workers=1), pytest.raises(UnevenBatchesError) as caught:
        next(iter(dataset))
    assert isinstance(caught.value, RuntimeError)
    assert str(caught.value) == (
        "9 samples in batches of 4, for 2 ranks with 1 workers each: some ranks would have 2 batches, but others "
        "only 1, for which they would wait for ever. Change num_workers, batch_size, or world_size"
    )
    assert dataset.epoch == 0
    dataset.batch_size = 5
    assert len(list(dataset)) == 4


def test_the_check_knows_whether_the_loader_drops_last_batches():
    dropping = IterableDataset(numbers(15), batch_size=4, drop_last=True)
    dropping.world_size = 2  # 8 and 7 samples: 2 and 2 batches, or 2 and 1 of full size
    with pytest.raises(UnevenBatchesError, match="some ranks would have 2 batches, but others only 1"):
        list(dropping)
    dropping.drop_last = False
    assert len(list(dropping)) == 8


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 100),
    workers=st.integers(1, 4),
    seen=st.integers(0, 30),
    kind=st.sampled_from([numbers, Counting]),
)
def test_each_worker_continues_from_its_state(n, workers, seen, kind):
    for worker in range(workers):
        with Elsewhere(worker=worker, workers=workers):
            wanted = [at(IterableDataset(kind(n), epoch=epoch)) for epoch in (2, 3)]
            dataset, again = IterableDataset(kind(n), epoch=2), IterableDataset(kind(n))
            samples = iter(dataset)
            begin = at(islice(samples, seen))
            again.load_state_dict(dataset.state_dict())
            if seen > len(wanted[0]):  # the pass has ended
                assert [begin, at(again)] == wanted
            else:
                assert [begin + at(again), at(again)] == wanted


def test_a_negative_position_is_refused():
    with pytest.raises(ValueError, match="position is -1, and must be at least 0"):
        IterableDataset(numbers(3)).load_state_dict({"epoch": 0, "position": -1})


def test_an_augment_goes_through_its_epochs():
    parts = {}
    for rank, worker in everywhere(2, 2):
        with Elsewhere(rank, 2, worker, 2):
            dataset = IterableDataset(Counting(10))
            parts[rank, worker] = [at(dataset) for _ in range(3)]
    for epoch in range(3):
        whole = [i for rank in (0, 1) for worker in (0, 1) for i in parts[(rank + epoch) % 2, worker][epoch]]
        assert whole == [(epoch + i) % 10 for i in range(10)]


def test_copy_and_chunk_size_reach_the_reader():
    class Noting(ListReader):
        def iter(self, *args, **kwargs):
            self.noted = args, kwargs
            return super().iter(*args, **kwargs)

    reader = Noting([{"key": str(i)} for i in range(9)])
    list(IterableDataset(reader, copy=False, chunk_size=3))
    assert reader.noted == ((0, 9), {"copy": False, "chunk_size": 3})


# -- samples and transforms


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "train.msgpack", some_samples(40))


def add(value, number):
    return value + number


def repeat(value, times=2):
    return value * times


def rng_of(seed):
    generator = random.Random(seed)
    return lambda sample: {"number": generator.randrange(100), "times": sample["label"] % 3}


TRANSFORMS = {"label": add, "image": repeat}


@pytest.mark.parametrize("name", ["Dataset", "IterableDataset"])
@pytest.mark.parametrize("composed", [True, False])
def test_samples_are_those_of_datadings(path, name, composed):
    import datadings.reader

    reference = pytest.importorskip("datadings.torch", reason="datadings.torch needs PIL and simplejpeg")
    results = []
    for package, reader in (
        (ddfast.torch, MsgpackReader(path)),
        (reference, datadings.reader.MsgpackReader(path)),
    ):
        transforms = {k: package.Compose(f) for k, f in TRANSFORMS.items()} if composed else double
        dataset = getattr(package, name)(reader, transforms, rng_of(7) if composed else None)
        assert len(dataset) == 40
        samples = dataset if name == "IterableDataset" else map(dataset.__getitem__, (3, 0, 39))
        results.append([{k: v for k, v in sample.items() if k != "array"} for sample in samples])
    assert results[0] == results[1]
    assert ("__params__" in results[0][0]) == composed


def test_the_samples_of_a_batch_are_read_together(path, monkeypatch):
    def bare(samples):
        return [{k: v for k, v in sample.items() if k != "array"} for sample in samples]

    reader, indices = MsgpackReader(path), [7, 0, 39, 7]
    transforms = {name: Compose(function) for name, function in TRANSFORMS.items()}
    dataset = Dataset(reader, transforms, rng_of(7))
    alone = [Dataset(reader, transforms, dataset._rng)[index] for index in indices]
    dataset = Dataset(reader, transforms, rng_of(7))
    unable = Dataset(SimpleNamespace(get=reader.get), transforms, rng_of(7))
    monkeypatch.setattr(reader, "get", None)
    assert bare(dataset.__getitems__(indices)) == bare(alone)
    assert bare(unable.__getitems__(indices)) == bare(alone)
    loader = torch.utils.data.DataLoader(Dataset(reader), batch_size=16, shuffle=True, collate_fn=list)
    assert sorted(sample["label"] for batch in loader for sample in batch) == list(range(40))


def test_a_damaged_sample_of_a_batch_is_named(path):
    damage(path, 7)
    with pytest.raises(CorruptSampleError, match="sample 7"):
        Dataset(MsgpackReader(path)).__getitems__([3, 7])


def test_without_transforms_samples_are_the_readers(path):
    reader = MsgpackReader(path)
    assert Dataset(reader)[5]["label"] == 5
    assert [sample["label"] for sample in IterableDataset(reader)] == list(range(40))
    assert no_rng({}) == {}


def test_a_transform_of_a_field_that_is_missing_names_sample_and_fields():
    dataset = Dataset(ListReader([{"key": "one", "img": 1}]), {"image": Compose(repeat)})
    with pytest.raises(
        MissingFieldError, match=r"sample 'one' has no field 'image' .* are 'key', 'img'$"
    ) as caught:
        dataset[0]
    assert isinstance(caught.value, KeyError)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from Python 3.11 on")
def test_an_error_of_a_transform_is_its_own_and_notes_the_sample():
    pytest.importorskip("PIL", reason="pillow is not installed")
    dataset = IterableDataset(
        ListReader([{"key": "one", "image": b"?"}]), {"image": Compose(CompressedToPIL())}
    )
    with pytest.raises(ImageError) as caught:
        list(dataset)
    assert caught.value.__notes__ == ["The error occurred in the transform of 'image' of sample 'one'."]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from Python 3.11 on")
def test_a_function_of_the_value_alone_is_told_to_need_compose():
    dataset = Dataset(ListReader([{"key": "one", "image": 1}]), {"image": lambda value: value})
    with pytest.raises(TypeError) as caught:
        dataset[0]
    assert "Compose(f) calls f(value)" in caught.value.__notes__[-1]


def test_dict2tuple_picks_values():
    samples = [{"image": 1, "label": 2, "key": "a"}, {"image": 3, "label": 4, "key": "b"}]
    assert list(dict2tuple(samples)) == [(1, 2), (3, 4)]
    assert list(dict2tuple(samples, ["key"])) == [("a",), ("b",)]


def test_datasets_pickle(path):
    reader = MsgpackReader(path)
    for dataset in (
        Dataset(reader, double),
        IterableDataset(reader, {"label": Compose(repeat)}, batch_size=2),
        ddfast.torch.BatchDataset(reader, 3),
    ):
        again = pickle.loads(pickle.dumps(dataset))
        assert isinstance(again, torch.utils.data.Dataset)
    assert len(again) == 14


def test_a_transform_that_raises_stop_iteration_does_not_end_the_pass():
    def transform(sample):
        if sample["at"] == 3:
            raise StopIteration
        return sample

    samples = Dataset(numbers(6), transform)
    for work in (
        lambda: list(IterableDataset(numbers(6), transform)),
        lambda: samples[3],
        lambda: samples.__getitems__([1, 3]),
        lambda: list(torch.utils.data.DataLoader(samples, batch_size=2, collate_fn=list)),
    ):
        with pytest.raises(CallbackError, match="a transform raised StopIteration"):
            work()
