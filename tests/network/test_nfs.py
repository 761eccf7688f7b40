"""Whole passes over a file of a real NFS server give the samples of the local file."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from datasets import write
from nfs_mount import exported, missing

from ddfast import AsyncReader, MsgpackReader

N = 300
SAMPLES = [{"key": str(i), "label": i, "image": bytes([i % 251]) * (5000 + 997 * (i % 50))} for i in range(N)]

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dataset on an NFS mount."""
    data, work = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("work")
    path = write(data / "x.msgpack", SAMPLES, "ddfast")
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(exported(data, work))
        except RuntimeError as error:
            pytest.skip(f"no NFS here: {error}")
        yield folder / path.name


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_verified_pass_over_nfs_gives_every_sample(far, shuffle):
    with MsgpackReader(far, verify="sample") as reader:
        found = [sample for batch in reader.batches(32, shuffle=shuffle, seed=2) for sample in batch]
    assert sorted(found, key=lambda sample: sample["label"]) == SAMPLES


def test_an_asynchronous_pass_over_nfs_gives_every_sample(far, arun):
    async def read():
        async with AsyncReader(far, verify="sample") as reader:
            return [sample async for batch in reader.batches(32) for sample in batch]

    assert arun(read()) == SAMPLES


def test_single_samples_and_keys_are_found_over_nfs(far):
    with MsgpackReader(far) as reader:
        assert reader.get(reader.find_index("217")) == SAMPLES[217]
        assert list(reader) == SAMPLES


def test_direct_reads_of_an_nfs_mount_are_plain_ones(far):
    with MsgpackReader(far, io="direct") as reader:
        assert [label for batch in reader.batches(50) for label in batch["label"]] == list(range(N))
