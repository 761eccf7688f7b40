"""Asynchronous readers and writers without asyncio's event loop: one error, and nothing left behind."""

import pytest
from datasets import some_samples, threads, write

from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import EventLoopError
from ddfast.writer import AsyncFileWriter, AsyncRawWriter

SAMPLES = some_samples(20)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


def drive(main, *arguments):
    """Run a coroutine as a loop does that is not asyncio's."""
    coroutine = main(*arguments)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    raise AssertionError("it waits for a loop that is not there")


@pytest.fixture(params=["bare", "trio"])
def run(request):
    """A function that runs a coroutine function without asyncio."""
    if request.param == "bare":
        return drive
    return pytest.importorskip("trio", reason="trio is not installed").run


@pytest.mark.parametrize("location", ["a path", "a list", "a URL"])
def test_a_reader_says_what_it_needs(path, run, location):
    async def main():
        source = {"a path": path, "a list": [path], "a URL": path.as_uri()}[location]
        async with AsyncReader(source) as reader:
            return await reader.get(0)

    before = threads()
    with pytest.raises(
        EventLoopError,
        match=r"^AsyncReader needs the event loop of asyncio or uvloop.*trio.*use MsgpackReader",
    ) as caught:
        run(main)
    assert isinstance(caught.value, RuntimeError)
    assert threads() == before


def test_an_open_reader_that_waits_elsewhere_says_it(path, arun, run):
    async def opened():
        reader = AsyncReader(path)
        await reader.__aenter__()
        return reader

    reader = arun(opened())
    with pytest.raises(EventLoopError, match="AsyncReader needs the event loop"):
        run(reader.find_index, "no such key")

    async def close():
        await reader.close()

    arun(close())


@pytest.mark.parametrize(
    ("kind", "blocking"), [(AsyncFileWriter, "FileWriter"), (AsyncRawWriter, "RawWriter")]
)
def test_a_writer_says_what_it_needs_and_leaves_nothing(tmp_path, run, kind, blocking):
    async def main():
        async with kind(tmp_path / "y.msgpack", disable=True):
            raise AssertionError("it opened")

    with pytest.raises(
        EventLoopError, match=rf"^{kind.__name__} needs the event loop.*use {blocking}, for example"
    ):
        run(main)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["close", "discard"])
def test_a_writer_outside_of_a_block_can_be_closed_where_a_loop_runs(path, arun, run, call):
    writer = AsyncFileWriter(path, overwrite=True, disable=True)
    with pytest.raises(EventLoopError, match="AsyncFileWriter needs the event loop"):
        run(getattr(writer, call))

    async def close():
        await writer.write({"key": "new"})
        await writer.close()

    arun(close())
    with MsgpackReader(path) as reader:
        assert list(reader) == [{"key": "new"}]


def test_a_full_chunk_says_it(path, run):
    async def main():
        writer = AsyncFileWriter(path, overwrite=True, disable=True)
        try:
            for i in range(3):
                await writer.write({"key": str(i), "x": bytes(1 << 20)})
        finally:
            writer._abandon()

    with pytest.raises(EventLoopError, match="AsyncFileWriter needs the event loop"):
        run(main)
    with MsgpackReader(path) as reader:
        assert len(reader) == len(SAMPLES)


def test_a_writer_that_continues_says_it(path, run):
    async def main():
        writer = AsyncFileWriter(path, append=True, disable=True)
        try:
            await writer.write({"key": "one more"})
        finally:
            writer._abandon()

    with pytest.raises(EventLoopError, match="AsyncFileWriter needs the event loop"):
        run(main)
