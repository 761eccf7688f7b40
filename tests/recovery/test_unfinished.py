"""What a writer that died leaves is found, finished and discarded."""

import errno

import pytest
from datasets import keys_of, some_samples, write

import ddfast.recovery
import ddfast.writer
from ddfast import FileWriter, MsgpackReader
from ddfast.errors import DatasetBusyError, UnfinishedDatasetError
from ddfast.recovery import (
    Salvage,
    UnfinishedDataset,
    discard_unfinished,
    find_unfinished,
    finish_unfinished,
)

SAMPLES = some_samples(30)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x"


@pytest.fixture
def stopped(path):
    """A path where a writer has left ten samples."""
    with pytest.raises(RuntimeError), FileWriter(path, resume=True, disable=True) as writer:  # noqa: PT012
        for sample in SAMPLES[:10]:
            writer.write(sample)
        raise RuntimeError
    return path


@pytest.fixture
def unnamed(path, monkeypatch):
    """A path where a complete dataset only lacks its names."""

    def fail(self, target):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "replace", fail)
        with pytest.raises(OSError, match="broken"):
            write(path, SAMPLES, "ddfast")
    return path


def test_unfinished_dataset_is_found_with_its_samples(stopped):
    found = find_unfinished(stopped)
    assert not found.is_complete
    assert (found.announced, found.announced_size, found.size) == (10, found.size, found.draft.stat().st_size)
    assert [key for chunk in found.chunks() for key in chunk.keys] == keys_of(SAMPLES[:10])


def test_complete_dataset_is_finished(unnamed):
    assert find_unfinished(unnamed).is_complete
    assert finish_unfinished(unnamed)
    assert not finish_unfinished(unnamed)
    assert len(MsgpackReader(unnamed)) == len(SAMPLES)
    assert len(list(unnamed.parent.iterdir())) == 7


def test_dataset_that_cannot_be_finished_is_left_as_it_is(unnamed, monkeypatch):
    def refuse(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    before = sorted(file.name for file in unnamed.parent.iterdir())
    monkeypatch.setattr(type(unnamed), "replace", refuse)
    with pytest.raises(UnfinishedDatasetError, match=r"Permission denied.*ddfast recover"):
        finish_unfinished(unnamed)
    assert sorted(file.name for file in unnamed.parent.iterdir()) == before


def test_incomplete_dataset_is_not_finished_and_stays(stopped):
    assert not finish_unfinished(stopped)
    assert find_unfinished(stopped).announced == 10


@pytest.mark.parametrize("exists", [False, True])
def test_discarding_removes_the_draft_and_nothing_else(stopped, exists):
    if exists:
        write(stopped.with_name("y"), SAMPLES, "ddfast")
    others = set(stopped.parent.glob("y*"))
    assert discard_unfinished(stopped)
    assert set(stopped.parent.iterdir()) == others
    assert find_unfinished(stopped) is None
    assert not discard_unfinished(stopped)


def test_dataset_of_a_living_writer_is_left_alone(path):
    with FileWriter(path, disable=True) as writer:
        writer.write(SAMPLES[0])
        for act in (finish_unfinished, discard_unfinished):
            with pytest.raises(DatasetBusyError):
                act(path)
    assert len(MsgpackReader(path)) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Leftover", "UnfinishedDataset"),
        ("Lost", "LostSamples"),
        ("Salvage", "Salvage"),
        ("discard_leftover", "discard_unfinished"),
        ("find_leftover", "find_unfinished"),
        ("finish_leftover", "finish_unfinished"),
    ],
)
def test_old_names_work_with_a_warning(old, new):
    with pytest.warns(
        DeprecationWarning, match=rf"writer\.{old} is deprecated, use ddfast\.recovery\.{new}"
    ) as caught:
        found = getattr(ddfast.writer, old)
    assert found is getattr(ddfast.recovery, new)
    assert caught[0].filename == __file__
    assert old not in dir(ddfast.writer)


def test_old_names_of_chunks_work_with_a_warning(stopped):
    for found in (find_unfinished(stopped), Salvage(stopped.with_name(".x.draft"))):
        with pytest.warns(DeprecationWarning, match="pieces is deprecated, use chunks"):
            chunks = list(found.pieces())
        assert sum(len(chunk.keys) for chunk in chunks) == 10
    assert isinstance(find_unfinished(stopped), UnfinishedDataset)
