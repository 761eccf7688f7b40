"""After `flush`, a kill loses no sample that was written before."""

import asyncio
import errno
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast import AsyncFileWriter, FileWriter, MsgpackReader, RawWriter
from ddfast.errors import ClosedError
from ddfast.recovery import find_unfinished
from ddfast.tools.msgpack import packb
from ddfast.writer import data_file, samples


def left_by_a_kill(path, folder):
    """Samples that a writer would restore if the one at `path` were killed now."""
    folder.mkdir()
    for file in path.parent.glob(".x.*"):
        shutil.copy(file, folder)
    with FileWriter(folder / "x", resume=True, disable=True) as writer:
        count = writer.written
    with MsgpackReader(folder / "x") as reader:
        assert len(reader) == count
        return list(reader)


@given(
    sizes=st.lists(st.one_of(st.integers(0, 9000), st.none()), max_size=25),
    direct=st.integers(1, 30_000),
    chunk=st.integers(1, 20_000),
)
def test_flushed_samples_survive_a_kill(tmp_path_factory, sizes, direct, chunk):
    """None in `sizes` is a flush."""
    folder = tmp_path_factory.mktemp("flush")
    path, wanted = folder / "writer" / "x", []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(samples, "CHUNK_BYTES", chunk)
        patched.setattr(data_file, "DIRECT_FROM", direct)
        patched.setattr(data_file, "BUFFER_BYTES", 8192)
        with FileWriter(path, disable=True) as writer:
            for i, size in enumerate([*sizes, None]):
                if size is None:
                    writer.flush()
                    assert left_by_a_kill(path, folder / f"{i}") == wanted
                else:
                    wanted.append({"key": str(i), "x": bytes([i]) * size})
                    writer.write(wanted[-1])
    with MsgpackReader(path) as reader:
        assert list(reader) == wanted
        assert reader.verify_data()


def test_program_that_is_killed_after_a_flush_loses_nothing(tmp_path, run_python):
    program = """
import os
from ddfast import FileWriter
writer = FileWriter("x", disable=True)
for i in range(500):
    writer.write({"key": str(i), "x": bytes(100)})
writer.flush()
os.kill(os.getpid(), 9)
"""
    assert run_python("-c", program).returncode == -9
    assert find_unfinished(tmp_path / "x").announced == 500
    with FileWriter(tmp_path / "x", resume=True, disable=True) as writer:
        assert writer.written == 500


def test_asynchronous_writer_flushes_while_other_tasks_write(tmp_path, monkeypatch, arun):
    monkeypatch.setattr(samples, "CHUNK_BYTES", 2000)
    path = tmp_path / "writer" / "x"
    done = []

    async def some(writer, name):
        for i in range(60):
            await writer.write({"key": f"{name}{i}", "x": bytes(100)})
            done.append(f"{name}{i}")
            if i % 20 == 19:
                known = set(done)
                await writer.flush()
                left = {sample["key"] for sample in left_by_a_kill(path, tmp_path / f"{name}{i}")}
                assert known <= left

    async def main():
        async with AsyncFileWriter(path, disable=True) as writer:
            await asyncio.gather(*(some(writer, name) for name in "abc"))

    arun(main())
    assert len(MsgpackReader(path)) == 180


@pytest.mark.parametrize("url", [False, True])
def test_flushing_nothing_does_nothing(tmp_path, url):
    with RawWriter("memory://flush/x" if url else tmp_path / "x", disable=True) as writer:
        writer.flush()
        writer.write("a", packb({"key": "a"}))
        writer.flush()
        writer.flush()
    with pytest.raises(ClosedError):
        writer.flush()


def test_asynchronous_writer_that_is_closed_flushes_nothing(tmp_path, arun):
    async def main():
        async with AsyncFileWriter(tmp_path / "x", disable=True) as writer:
            await writer.flush()
        with pytest.raises(ClosedError):
            await writer.flush()

    arun(main())


def full(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_is_told_by_the_flush(tmp_path, monkeypatch, arun):
    writer = FileWriter(tmp_path / "x", disable=True)
    writer.write({"key": "a"})
    monkeypatch.setattr(writer._destination.data, "_write", full)
    with pytest.raises(OSError, match=r"No space left on device: [\d,]+ of [\d,]+ bytes are not in the file"):
        writer.flush()
    with pytest.raises(ClosedError, match="a write failed"):
        writer.write({"key": "b"})

    async def main():
        writer = AsyncFileWriter(tmp_path / "y", disable=True)
        await writer.write({"key": "a"})
        monkeypatch.setattr(writer._destination.data, "_write", full)
        with pytest.raises(OSError, match="No space left on device"):
            await writer.flush()
        with pytest.raises(ClosedError, match="a write failed"):
            await writer.write({"key": "b"})

    arun(main())
