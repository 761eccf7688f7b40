"""AsyncFileWriter writes the files of FileWriter without holding up the loop, and cleans up after itself."""

import asyncio
import errno
import io
import threading

import msgpack
import numpy as np
import pytest

from ddfast.errors import ClosedError, DuplicateKeyError, InvalidSampleError, NoTerminalError
from ddfast.writer import AsyncFileWriter, AsyncRawWriter, FileWriter, RawWriter, aio
from ddfast.writer.data_file import DataFile

SAMPLES = [{"key": f"{i}", "x": np.arange(i * 100), "y": bytes(i * 10_000)} for i in range(60)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.msgpack"


def files(path):
    return {file.name: file.read_bytes() for file in sorted(path.parent.iterdir())}


def write_blocking(path, samples):
    with FileWriter(path, overwrite=True, disable=True) as writer:
        for sample in samples:
            writer.write(sample)
    return files(path)


async def write(path, samples, **options):
    async with AsyncFileWriter(path, overwrite=True, disable=True, **options) as writer:
        for sample in samples:
            await writer.write(sample)
    return files(path)


@pytest.mark.parametrize("count", [0, 1, 60])
def test_files_are_those_of_the_blocking_writer(tmp_path, count, arun):
    ours = arun(write(tmp_path / "a" / "x.msgpack", SAMPLES[:count]))
    assert ours == write_blocking(tmp_path / "b" / "x.msgpack", SAMPLES[:count])
    assert len(ours) == 7


def test_raw_files_are_those_of_the_blocking_writer(tmp_path, arun):
    async def write_raw():
        async with AsyncRawWriter(tmp_path / "a" / "x.msgpack", disable=True) as writer:
            await writer.write("a", msgpack.packb(1))

    arun(write_raw())
    with RawWriter(tmp_path / "b" / "x.msgpack", disable=True) as writer:
        writer.write("a", msgpack.packb(1))
    assert files(tmp_path / "a" / "x") == files(tmp_path / "b" / "x")


def test_several_tasks_may_write(path, arun):
    async def main():
        async with AsyncFileWriter(path, disable=True) as writer:
            await asyncio.gather(*(writer.write(sample) for sample in SAMPLES))

    arun(main())
    assert files(path) == write_blocking(path.parent / "b" / "x.msgpack", SAMPLES)


def test_files_are_never_touched_on_the_thread_of_the_loop(path, monkeypatch, arun):
    threads = []
    original = DataFile._write
    monkeypatch.setattr(
        DataFile, "_write", lambda *args: (threads.append(threading.get_ident()), original(*args))[1]
    )
    arun(write(path, SAMPLES))
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("exists", [False, True])
def test_exception_in_the_block_leaves_everything_as_it_was(path, exists, arun):
    before = write_blocking(path, SAMPLES[:1]) if exists else {}

    async def main():
        async with AsyncFileWriter(path, overwrite=True, disable=True) as writer:
            for sample in SAMPLES:
                await writer.write(sample)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        arun(main())
    assert files(path) == before


@pytest.mark.parametrize("delay", [0, 0.0002, 0.002, 0.01, 0.04])
def test_cancelled_task_leaves_everything_as_it_was(path, delay, arun):
    before = write_blocking(path, SAMPLES[:1])

    async def forever():
        async with AsyncFileWriter(path, overwrite=True, disable=True) as writer:
            for i in range(1_000_000):
                await writer.write({"key": str(i), "x": bytes(300_000)})
                await asyncio.sleep(0)

    async def main():
        task = asyncio.create_task(forever())
        await asyncio.sleep(delay)  # at 0 it is opening the file
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    arun(main())
    assert files(path) == before


def test_timeout_leaves_everything_as_it_was(path, arun):
    async def forever():
        async with AsyncFileWriter(path, overwrite=True, disable=True) as writer:
            for i in range(1_000_000):
                await writer.write({"key": str(i), "x": bytes(300_000)})

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(forever(), 0.05)

    arun(main())
    assert files(path) == {}


def test_cancelled_write_has_taken_its_sample(path, arun):
    async def main():
        async with AsyncFileWriter(path, disable=True) as writer:
            for sample in SAMPLES:
                task = asyncio.create_task(writer.write(sample))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])

    arun(main())
    assert files(path) == write_blocking(path.parent / "b" / "x.msgpack", SAMPLES)


@pytest.mark.parametrize("pauses", range(0, 40, 4))
def test_cancelled_close_gives_the_old_or_the_new_dataset(path, pauses, arun):
    old = write_blocking(path, SAMPLES[:1])
    new = write_blocking(path.parent / "new" / "x.msgpack", SAMPLES[:50])
    (path.parent / "new").rename(path.parent.parent / f"new{pauses}-{path.parent.name}")

    async def main():
        writer = AsyncFileWriter(path, overwrite=True, disable=True)
        for sample in SAMPLES[:50]:
            await writer.write(sample)
        task = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
        for _ in range(pauses):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.wait([task])

    arun(main())
    assert files(path) in (old, new)


def test_errors_leave_the_writer_usable(path, arun):
    async def main():
        async with AsyncFileWriter(path, disable=True) as writer:
            await writer.write({"key": "a"})
            with pytest.raises(DuplicateKeyError):
                await writer.write({"key": "a"})
            with pytest.raises(InvalidSampleError):
                await writer.write({"key": "b", "x": {(1,): 1}})
            await writer.write({"key": "b"})
        with pytest.raises(ClosedError):
            await writer.write({"key": "c"})
        await writer.close()
        return writer.written

    assert arun(main()) == 2
    assert files(path) == write_blocking(path.parent / "b" / "x.msgpack", [{"key": "a"}, {"key": "b"}])


@pytest.mark.parametrize("then", ["write", "close"])
def test_a_write_that_fails_beside_the_program_is_told_by_the_next_call(path, arun, then):
    async def main():
        writer = AsyncFileWriter(path, disable=True)

        class Full:
            close = writer._destination.data._file.close

            def write(self, data):
                raise OSError("full")

        writer._destination.data._file = Full()
        with pytest.raises(OSError, match="full"):  # noqa: PT012  # which call finds out depends on the thread
            for keys in ("ab", "cd"):  # two pieces: the first one fails behind the call
                for key in keys:
                    await writer.write({"key": key, "x": bytes(600_000)})
                await asyncio.sleep(0.2)
            await (writer.write({"key": "e"}) if then == "write" else writer.close())
        with pytest.raises(ClosedError, match="accepts no more samples"):
            await writer.write({"key": "f"})
        await writer.close()

    arun(main())
    assert not path.exists()


def test_full_disk_leaves_the_old_dataset_and_a_draft(path, arun):
    old = write_blocking(path, SAMPLES[:1])

    async def main():
        async with AsyncFileWriter(path, overwrite=True, disable=True) as writer:

            class Full:
                close = writer._destination.data._file.close

                def write(self, data):
                    raise OSError("full")

            writer._destination.data._file = Full()
            for i in range(10):
                await writer.write({"key": str(i), "x": bytes(1_000_000)})

    with pytest.raises(OSError, match="full"):
        arun(main())
    left = files(path)
    assert {name: left.pop(name) for name in old} == old
    assert sorted(left) == [".x.msgpack.draft", ".x.msgpack.journal"]


@pytest.mark.parametrize("exists", [False, True])
def test_disk_that_is_full_when_the_index_is_written_leaves_the_old_dataset_and_a_draft(
    path, exists, monkeypatch, arun
):
    old = write_blocking(path, SAMPLES[:1]) if exists else {}
    written = []

    async def main():
        writer = AsyncFileWriter(path, overwrite=True, disable=True)
        for sample in SAMPLES:
            await writer.write(sample)

        def full(name, mode, opener):
            written.append(name)
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(aio.aiofiles, "open", full)
        with pytest.raises(
            OSError, match=r"No space left.*0 of [\d,]+ bytes are not in the file.*resume=True"
        ):
            await writer.close()
        monkeypatch.undo()
        with pytest.raises(ClosedError, match="a write failed"):
            await writer.write({"key": "more"})

    arun(main())
    assert [name.name for name in written] == [".x.msgpack.draft.offsets"]
    left = files(path)
    assert {name: left.pop(name) for name in old} == old
    assert sorted(left) == [".x.msgpack.draft", ".x.msgpack.journal"]
    with FileWriter(path, overwrite=True, resume=True, disable=True) as writer:
        assert writer.written == len(SAMPLES)


def test_user_is_asked(path, monkeypatch):
    old = write_blocking(path, SAMPLES[:1])
    monkeypatch.setattr("builtins.input", lambda: "no")
    with pytest.raises(FileExistsError):
        AsyncFileWriter(path)
    assert files(path) == old


def test_writers_tell_where_they_write_and_how_much(path, arun):
    with FileWriter(path, disable=True) as writer:
        writer.write({"key": "a"})
        assert repr(writer) == f"<FileWriter {str(path)!r}: 1 samples>"

    async def main():
        async with AsyncFileWriter(path, overwrite=True, disable=True) as writer:
            return repr(writer)

    assert arun(main()) == f"<AsyncFileWriter {str(path)!r}: 0 samples>"


@pytest.mark.parametrize("make", [FileWriter, AsyncFileWriter])
def test_where_nobody_can_be_asked_the_way_out_is_told(path, monkeypatch, make):
    old = write_blocking(path, SAMPLES[:1])
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(
        NoTerminalError, match=r"x\.msgpack exists, and there is no terminal.*overwrite=True"
    ) as caught:
        make(path)
    assert isinstance(caught.value, EOFError)
    assert isinstance(caught.value, FileExistsError)
    assert files(path) == old


def test_last_line_is_printed(path, capsys, arun):
    async def main():
        async with AsyncFileWriter(path) as writer:
            await writer.write({"key": "a"})

    arun(main())
    assert capsys.readouterr().out == "1 samples written\n"
