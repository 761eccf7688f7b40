"""The count of epochs that datasets share with DataLoader workers: of each pass, persistent, forked and spawned."""

import copy
import multiprocessing
import pickle
from itertools import islice

import pytest
from datasets import write
from torch_helpers import Copied, as_it_is, wait_for

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

import ddfast.torch.epochs  # noqa: E402
from ddfast.reader import MsgpackReader, Shuffler  # noqa: E402
from ddfast.torch import BatchDataset, IterableDataset  # noqa: E402

N = 60

# Threads of this process and of torch are there when it forks; small machines have fewer processors than workers.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create .* worker processes"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),  # torchdata calls it
]


@pytest.fixture
def reader(tmp_path):
    path = write(tmp_path / "train.msgpack", ({"key": f"{i:03}", "label": i} for i in range(N)), "ddfast")
    with MsgpackReader(path) as reader:
        yield reader


def loader_of(dataset, workers=2, how="fork", **options):
    options = {"batch_size": None, "multiprocessing_context": how, "timeout": 60, **options}
    return DataLoader(dataset, num_workers=workers, **options)


def labels(loader):
    return [batch["label"].tolist() for batch in loader]


def order(reader, epoch, size=5, **options):
    return labels(reader.batches(size, shuffle=True, epoch=epoch, **options))


def begin(loader, count=2):
    """The first batches of a pass that is left early."""
    return labels(islice(iter(loader), count))


WORKERS = pytest.mark.parametrize(
    ("how", "persistent"), [("fork", False), ("fork", True), ("spawn", False), ("spawn", True)]
)


@WORKERS
def test_each_pass_of_workers_is_the_next_epoch(reader, how, persistent):
    dataset = BatchDataset(reader, 5, shuffle=True)
    loader = loader_of(dataset, how=how, persistent_workers=persistent)
    assert len(loader) == len(dataset) == N // 5
    for epoch in range(3):
        assert dataset.epoch == epoch
        assert labels(loader) == order(reader, epoch)
        assert dataset.state_dict() == {"epoch": epoch + 1, "position": 0}
    assert labels(dataset) == order(reader, 3)  # without workers
    assert labels(loader) == order(reader, 4)


@WORKERS
def test_set_epoch_reaches_workers(reader, how, persistent):
    dataset = BatchDataset(reader, 5, shuffle=True)
    loader = loader_of(dataset, how=how, persistent_workers=persistent)
    for epoch in (7, 3, 3):
        dataset.set_epoch(epoch)
        assert labels(loader) == order(reader, epoch)
    dataset.epoch = 1
    assert labels(loader) == order(reader, 1)
    assert dataset.epoch == 2


@pytest.mark.parametrize("persistent", [False, True])
def test_the_epochs_of_an_augment_are_those_without_workers(reader, persistent):
    dataset = IterableDataset(Shuffler(reader, seed=1), batch_size=10)
    loader = loader_of(dataset, batch_size=10, persistent_workers=persistent)
    passes = [sorted(label for batch in labels(loader) for label in batch) for _ in range(2)]
    assert passes == [list(range(N))] * 2
    dataset.set_epoch(0)
    first = {tuple(batch) for batch in labels(loader)}
    dataset.set_epoch(0)
    whole = [sample["label"] for sample in dataset]
    assert first == {tuple(whole[i : i + 10]) for i in range(0, N, 10)}
    assert {tuple(batch) for batch in labels(loader)} != first


@pytest.mark.parametrize("persistent", [False, True])
def test_a_pass_that_is_left_early_counts(reader, persistent):
    dataset = BatchDataset(reader, 5, shuffle=True)
    loader = loader_of(dataset, persistent_workers=persistent)
    for epoch in range(4):
        assert begin(loader) == order(reader, epoch)[:2]
    assert labels(loader) == order(reader, 4)


def test_passes_with_the_same_seed_of_torch_are_different_epochs(reader):
    dataset = BatchDataset(reader, 5, shuffle=True)
    for epoch in range(3):
        torch.manual_seed(0)
        assert labels(loader_of(dataset)) == order(reader, epoch)
    for epoch in range(3, 5):
        generator = torch.Generator().manual_seed(7)
        assert begin(loader_of(dataset, 3, generator=generator)) == order(reader, epoch)[:2]


def test_two_passes_at_a_time_are_each_one_epoch(reader):
    dataset = BatchDataset(reader, 5, shuffle=True)
    loader = loader_of(dataset)
    for _ in range(3):
        pairs = list(zip(loader, loader, strict=True))
        for one in (0, 1):
            delivered = [pair[one]["label"].tolist() for pair in pairs]
            assert delivered in [order(reader, epoch) for epoch in range(6)]


def test_a_process_that_is_no_worker_counts_for_itself(reader):
    dataset = BatchDataset(reader, 5, shuffle=True, epoch=4)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    children = [context.Process(target=count_two, args=(dataset, results)) for _ in range(2)]
    for child in children:
        child.start()
    wanted = [order(reader, 4), order(reader, 5)]
    assert labels(loader_of(dataset)) == wanted[0]
    assert [results.get() for _ in children] == [wanted] * 2
    assert [wait_for(child) for child in children] == [0, 0]
    assert labels(loader_of(dataset)) == wanted[1]


def count_two(dataset, results):
    results.put([labels(loader_of(dataset)) for _ in range(2)])


# -- copies


@pytest.mark.parametrize("how", [copy.deepcopy, lambda dataset: pickle.loads(pickle.dumps(dataset))])
def test_a_copy_counts_for_itself_and_its_workers(reader, how):
    dataset = BatchDataset(reader, 5, shuffle=True, epoch=2)
    other = how(dataset)
    assert labels(loader_of(dataset)) == order(reader, 2)
    assert other.epoch == 2
    for epoch in (2, 3):
        assert labels(loader_of(other)) == order(reader, epoch)
    assert dataset.epoch == 3


def test_a_dataset_that_comes_to_a_worker_as_a_copy_warns(reader):
    loader = loader_of(Copied(pickle.dumps(BatchDataset(reader, 5, shuffle=True))), 1, collate_fn=as_it_is)
    (message,) = {message for batch in loader for message in batch["warnings"]}
    assert message.startswith("a dataset was created in the DataLoader worker 0, or copied to it by pickle")
    assert "Create the dataset in the process of the DataLoader" in message


def test_without_shared_memory_the_dataset_warns(reader, monkeypatch):
    def refuse(tensor):
        raise RuntimeError("no space left on /dev/shm")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    with pytest.warns(
        UserWarning, match=r"no space left on /dev/shm.*call `set_epoch` before each pass"
    ) as caught:
        dataset = BatchDataset(reader, 5, shuffle=True)
    assert caught[0].filename == __file__
    assert [labels(dataset) for _ in range(2)] == [order(reader, epoch) for epoch in range(2)]
    for epoch in (5, 6):
        dataset.set_epoch(epoch)
        assert labels(loader_of(dataset)) == order(reader, epoch)


# -- states


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("persistent", [False, True])
def test_a_pass_of_workers_continues_after_the_batches_that_were_delivered(reader, workers, persistent):
    seen = 5
    again = BatchDataset(reader, 4, shuffle=True)
    again.load_state_dict({"epoch": 3, "position": seen * 4})
    again.set_epoch(3)  # the epoch of the state: keeps the position
    loader = loader_of(again, workers, persistent_workers=persistent)
    assert labels(loader) == order(reader, 3, 4)[seen:]
    assert labels(loader) == order(reader, 4, 4)


def test_the_state_during_a_pass_of_workers_is_its_beginning(reader):
    dataset = BatchDataset(reader, 1, shuffle=True)
    dataset.load_state_dict({"epoch": 2, "position": 10})
    batches = iter(loader_of(dataset))
    next(batches)
    assert dataset.state_dict() == {"epoch": 2, "position": 10}
    assert len(list(batches)) == N - 11
    assert dataset.state_dict() == {"epoch": 3, "position": 0}
    next(iter(dataset))
    assert dataset.state_dict() == {"epoch": 3, "position": 1}
    labels(loader_of(dataset))
    assert dataset.state_dict() == {"epoch": 5, "position": 0}


@pytest.mark.parametrize("kind", [BatchDataset, IterableDataset])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("seen", [0, 1, 5, 11])
def test_torchdatas_loader_resumes(reader, kind, workers, seen):
    loaders = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def loader():
        if kind is BatchDataset:
            return loaders.StatefulDataLoader(
                BatchDataset(reader, 5, shuffle=True), None, num_workers=workers
            )
        return loaders.StatefulDataLoader(IterableDataset(Shuffler(reader)), 5, num_workers=workers)

    whole, first, second = loader(), loader(), loader()
    wanted = [labels(whole) for _ in range(3)]
    assert labels(first) == wanted[0]
    batches = iter(first)
    delivered = [next(batches)["label"].tolist() for _ in range(seen)]
    second.load_state_dict(first.state_dict())
    assert delivered + labels(second) == wanted[1]
    assert labels(second) == wanted[2]


def test_an_epoch_that_is_no_integer_is_refused(reader):
    dataset = BatchDataset(reader, 5)
    with pytest.raises(TypeError):
        dataset.set_epoch("3")
    assert dataset.epoch == 0


def test_tables_that_are_full_forget_the_oldest(reader, monkeypatch):
    """More passes and workers than there are rows."""
    monkeypatch.setattr(ddfast.torch.epochs, "ROWS", 2)
    dataset = BatchDataset(reader, 5, shuffle=True)
    for epoch in range(4):
        assert labels(loader_of(dataset, 3)) == order(reader, epoch)
