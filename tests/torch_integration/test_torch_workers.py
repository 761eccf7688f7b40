"""Datasets in DataLoader's worker processes, forked and spawned, and on ranks of a real process group."""

import multiprocessing
import os
import sys

import pytest
from datasets import write
from torch_helpers import double, first_bytes, wait_for

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.utils.data import ChainDataset, DataLoader  # noqa: E402

from ddfast.reader import MsgpackReader  # noqa: E402
from ddfast.torch import BatchDataset, Compose, Dataset, IterableDataset  # noqa: E402

N = 61

# Threads of this process and of torch are there when it forks.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def path(tmp_path):
    samples = ({"key": f"{i:03}", "label": i, "image": bytes([i]) * 3000, "two": [i, i]} for i in range(N))
    return write(tmp_path / "train.msgpack", samples, "ddfast")


@pytest.fixture
def busy(path):
    """A reader in the middle of its work: opened, partly read, with batches under way and one delivered."""
    with MsgpackReader(path) as reader:
        reader.seek(5)
        assert next(reader)["label"] == 5
        assert len(reader.get_many([1, 2])) == 2
        batches = reader.batches(4, shuffle=True)
        held = next(batches)
        yield reader
        rest = [i for batch in [held, *batches] for i in batch["label"].tolist()]
        assert sorted(rest) == list(range(N))
        assert reader.get(7)["label"] == 7


def loader_of(dataset, workers, how, **options):
    if workers:
        options |= {"persistent_workers": True, "multiprocessing_context": how, "timeout": 60}
    return DataLoader(dataset, num_workers=workers, **options)


def labels(loader):
    return [batch["label"].tolist() for batch in loader]


def flat(lists):
    return [i for part in lists for i in part]


WORKERS = pytest.mark.parametrize(("workers", "how"), [(0, None), (2, "fork")])


@WORKERS
def test_dataset_delivers_what_the_sampler_asks_for(busy, workers, how):
    dataset = Dataset(busy, {"label": Compose(float)})
    loader = loader_of(dataset, workers, how, batch_size=8)
    assert flat(labels(loader)) == list(range(N))
    shuffled = loader_of(dataset, workers, how, batch_size=8, shuffle=True)
    assert sorted(flat(labels(shuffled))) == list(range(N))


@WORKERS
def test_iterable_dataset_delivers_every_sample_once(busy, workers, how):
    loader = loader_of(IterableDataset(busy, double, batch_size=8), workers, how, batch_size=8)
    for _ in range(2):
        parts = labels(loader)
        assert sorted(flat(parts)) == list(range(0, 2 * N, 2))
        assert max(map(len, parts)) == 8


@WORKERS
def test_batch_dataset_delivers_the_readers_order(busy, workers, how):
    dataset = BatchDataset(busy, 6, shuffle=True, seed=4)
    loader = loader_of(dataset, workers, how, batch_size=None)
    for epoch in range(2):
        wanted = [batch["label"].tolist() for batch in busy.batches(6, shuffle=True, seed=4, epoch=epoch)]
        kept = []
        for batch in loader:
            rows = batch["label"].tolist()
            assert batch["key"] == [f"{i:03}" for i in rows]
            assert batch["image"] == [bytes([i]) * 3000 for i in rows]
            assert batch["two"] == [[i, i] for i in rows]
            kept.append(batch)
        assert labels(kept) == wanted  # tensors stay what they were while others come


def test_spawned_workers_open_their_files_again(busy):
    samples = IterableDataset(busy, double)
    batches = BatchDataset(busy, 7, shuffle=True, transform=first_bytes)
    loader = loader_of(
        ChainDataset([samples, batches]), 2, "spawn", batch_size=None
    )  # starting them takes long
    for epoch in range(2):
        delivered = list(loader)
        assert sorted(part["label"] for part in delivered if "first" not in part) == list(range(0, 2 * N, 2))
        shuffled = [part for part in delivered if "first" in part]
        assert [part["first"] for part in shuffled] == labels(shuffled)
        wanted = [batch["label"].tolist() for batch in busy.batches(7, shuffle=True, epoch=epoch)]
        assert sorted(flat(labels(shuffled))) == list(range(N))
        assert sorted(labels(shuffled)) == sorted(wanted)


def error_of(loader):
    """What the first batch raises, without the traceback: its frames would keep the workers for seconds."""
    try:
        next(iter(loader))
    except Exception as error:
        return error.with_traceback(None)


def test_an_error_of_a_worker_keeps_its_class_and_message(busy):
    error = error_of(loader_of(IterableDataset(busy, {"img": Compose(float)}), 1, "fork"))
    assert isinstance(error, KeyError)
    assert "sample '000' has no field 'img'" in str(error)
    dataset = IterableDataset(busy, batch_size=30)
    dataset.world_size = 2
    loader = loader_of(dataset, 1, "fork")
    for _ in range(2):  # the worker goes on
        error = error_of(loader)
        assert isinstance(error, RuntimeError)
        assert "61 samples in batches of 30, for 2 ranks" in str(error)


def use(reader, held):
    """What a forked child does with all that it was born with."""
    held.clear()
    ok = [batch["label"].tolist() for batch in reader.batches(9)] == [
        list(range(i, min(N, i + 9))) for i in range(0, N, 9)
    ]
    os._exit(0 if ok else 1)


def test_children_do_not_hang_on_what_the_parents_threads_held(path):
    context = multiprocessing.get_context("fork")
    with MsgpackReader(path, prefetch_bytes=100_000) as reader:
        for _ in range(25):
            batches = reader.batches(2, shuffle=True)
            held = [next(batches) for _ in range(10)]
            child = context.Process(target=use, args=(reader, [batches, *held]))
            child.start()
            assert sorted(i for batch in [*held, *batches] for i in batch["label"].tolist()) == list(range(N))
            assert wait_for(child) == 0


# -- a real process group


def deliver(rank, path, store, results):
    torch.distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
    reader = MsgpackReader(path)
    dataset = IterableDataset(reader, batch_size=8)
    epochs = [[sample["label"] for sample in dataset] for _ in range(2)]
    batches = flat(labels(BatchDataset(reader, 8)))
    first = torch.distributed.new_group([0])
    alone = len(IterableDataset(reader, group=first)) if rank == 0 else None
    results.put((rank, epochs, batches, alone))
    torch.distributed.barrier()  # a rank that leaves early fails the others
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(sys.platform != "linux", reason="forks after torch was imported")
def test_two_ranks_share_a_dataset(path, tmp_path):
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    ranks = [
        context.Process(target=deliver, args=(rank, path, tmp_path / "store", results)) for rank in range(2)
    ]
    for rank in ranks:
        rank.start()
    assert [wait_for(rank) for rank in ranks] == [0, 0]
    (_, first, batches, alone), (_, second, others, _) = sorted(results.get() for _ in ranks)
    halves = [list(range(30)), list(range(30, N))]
    assert first == halves
    assert second == halves[::-1]
    assert alone == N
    assert sorted(batches + others) == list(range(N))
