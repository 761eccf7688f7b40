"""A writer that is never closed keeps its samples, and says so."""

import asyncio
import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast import AsyncFileWriter, FileWriter, MsgpackReader
from ddfast.writer import samples

ENDS = {
    "local": "def convert():\n    fill(make())\nconvert()",
    "global": "writer = make()\nfill(writer)",
    "two globals": "a, b = make(), make('y')\nfill(a)\nfill(b)",
    "exception": "writer = make()\nfill(writer)\nraise ValueError",
    "sys.exit": "writer = make()\nfill(writer)\nsys.exit(3)",
    "cycle": "writer = make()\nfill(writer)\nwriter.itself = writer\ndel writer\ngc.collect()",
    "cycle at exit": "writer = make()\nfill(writer)\nwriter.itself = writer\ndel writer",
    "asynchronous": "asyncio.run(fill_async())",
    "asynchronous global": "writers = []\nasyncio.run(fill_async(writers))",
}
PROGRAM = """
import asyncio, gc, sys
from ddfast import AsyncFileWriter, FileWriter
def make(name="x"):
    return FileWriter(name, disable=True)
def all_samples():
    for i in range({count}):
        yield {{"key": str(i), "x": bytes({size})}}
def fill(writer):
    for sample in all_samples():
        writer.write(sample)
async def fill_async(kept=None):
    writer = AsyncFileWriter("x", disable=True)
    if kept is not None:
        kept.append(writer)
    for sample in all_samples():
        await writer.write(sample)
"""


@pytest.mark.parametrize(("count", "size"), [(10, 10), (3, 1_500_000), (90, 400_000)])
@pytest.mark.parametrize("end", ENDS)
def test_program_that_forgets_to_close_keeps_all_samples(tmp_path, run_python, end, count, size):
    done = run_python("-c", PROGRAM.format(count=count, size=size) + ENDS[end])
    assert done.returncode == {"exception": 1, "sys.exit": 3}.get(end, 0)
    wanted = (
        f"ddfast: the writer of {tmp_path / 'x'} was not closed, so there is no new dataset. Its samples are kept "
        f"({count}): `ddfast recover {tmp_path / 'x'}` makes a dataset of them, or removes them with --discard; "
        "resume=True continues. Use writers in a `with` statement, or call close()\n"
    )
    assert wanted in done.stderr
    assert done.stderr.count("ddfast: ") == (2 if end == "two globals" else 1)
    with FileWriter(tmp_path / "x", resume=True, disable=True) as writer:
        assert writer.written == count
    with MsgpackReader(tmp_path / "x") as reader:
        assert [(sample["key"], len(sample["x"])) for sample in reader] == [
            (str(i), size) for i in range(count)
        ]
    assert run_python("-m", "ddfast", "recover", "x").returncode == 2


@pytest.mark.parametrize(("count", "size"), [(10, 10), (3, 1_500_000), (90, 400_000)])
def test_writer_may_be_closed_while_the_interpreter_exits(tmp_path, run_python, count, size):
    end = "import atexit\nwriter = make()\natexit.register(writer.close)\nfill(writer)"
    done = run_python("-c", PROGRAM.format(count=count, size=size) + end)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.iterdir())) == 7
    with MsgpackReader(tmp_path / "x") as reader:
        assert [(sample["key"], len(sample["x"])) for sample in reader] == [
            (str(i), size) for i in range(count)
        ]
        assert reader.verify_data()
        assert reader.verify_index()


@given(sizes=st.lists(st.integers(0, 3000), max_size=40), chunk=st.integers(1, 5000))
def test_collected_writer_keeps_all_samples(tmp_path_factory, sizes, chunk):
    path = tmp_path_factory.mktemp("unclosed") / "x"
    wanted = [{"key": str(i), "x": bytes([i]) * size} for i, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(samples, "CHUNK_BYTES", chunk)
        writer = FileWriter(path, disable=True)
        for sample in wanted:
            writer.write(sample)
        del writer
    assert len(list(path.parent.iterdir())) == (2 if sizes else 0)
    with FileWriter(path, resume=True, disable=True) as writer:
        assert writer.written == len(sizes)
    with MsgpackReader(path) as reader:
        assert list(reader) == wanted


@pytest.mark.parametrize("resume", [False, True])
def test_writer_without_samples_leaves_nothing_and_says_nothing(tmp_path, capsys, resume):
    FileWriter(tmp_path / "x", resume=resume, disable=True)
    gc.collect()
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


def test_draft_of_an_unclosed_resuming_writer_stays(tmp_path):
    for i in range(3):
        writer = FileWriter(tmp_path / "x", resume=True, disable=True)
        assert writer.written == i
        writer.write({"key": str(i)})
        del writer


def test_writer_may_be_collected_in_its_own_thread(tmp_path, capsys):
    writer = FileWriter(tmp_path / "x", disable=True)
    writer.write({"key": "a"})
    held, gate = [writer], threading.Event()
    writer._destination.data._worker.put(lambda: (gate.wait(), held.clear()))
    del writer
    gate.set()
    deadline = threading.Event()
    while "Its samples are kept (1)" not in capsys.readouterr().err:
        assert not deadline.wait(0.01)
    with FileWriter(tmp_path / "x", resume=True, disable=True) as writer:
        assert writer.written == 1


def interrupt_after(monkeypatch, target, name, call):
    """The next call of a method is interrupted, after it has done its work if `call` is true."""
    original = getattr(target, name)

    def interrupted(*args):
        monkeypatch.setattr(target, name, original)
        if call:
            original(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(target, name, interrupted)


@pytest.mark.parametrize("where", ["digest", "queue"])
def test_interrupted_write_keeps_all_samples(tmp_path, monkeypatch, capsys, where):
    """The interrupt comes while a full queue is waited for, before or after the samples are in it."""
    writer = FileWriter(tmp_path / "x", disable=True)
    target, name = (writer._digest, "update") if where == "digest" else (writer._destination.data, "write")
    writer.write({"key": "a", "x": bytes(2_000_000)})
    interrupt_after(monkeypatch, target, name, call=where == "queue")
    with pytest.raises(KeyboardInterrupt):
        writer.write({"key": "b", "x": bytes(2_000_000)})
    monkeypatch.undo()
    assert "Its samples are kept (2)" in capsys.readouterr().err
    with FileWriter(tmp_path / "x", resume=True, disable=True) as writer:
        assert "a" in writer
        assert "b" in writer
    with MsgpackReader(tmp_path / "x") as reader:
        assert [sample["key"] for sample in reader] == ["a", "b"]


@pytest.mark.parametrize("where", ["digest", "queue"])
def test_interrupted_block_of_a_resuming_writer_keeps_each_sample_once(tmp_path, monkeypatch, where):
    with pytest.raises(KeyboardInterrupt), FileWriter(tmp_path / "x", resume=True, disable=True) as writer:  # noqa: PT012
        writer.write({"key": "a", "x": bytes(2_000_000)})
        target, name = (
            (writer._digest, "update") if where == "digest" else (writer._destination.data, "write")
        )
        interrupt_after(monkeypatch, target, name, call=where == "queue")
        writer.write({"key": "b", "x": bytes(2_000_000)})
    monkeypatch.undo()
    with FileWriter(tmp_path / "x", resume=True, disable=True) as writer:
        assert writer.written == 2
    with MsgpackReader(tmp_path / "x") as reader:
        assert [sample["key"] for sample in reader] == ["a", "b"]


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_cancelled_tasks_leave_no_gap(tmp_path, monkeypatch, capsys, arun, count):
    """The event loop ends, and cancels the task that writes a chunk before it has begun."""
    monkeypatch.setattr(samples, "CHUNK_BYTES", 10)

    async def main():
        writer = AsyncFileWriter(tmp_path / "x", disable=True)
        tasks = [asyncio.create_task(writer.write({"key": f"{i:02}", "x": bytes(100)})) for i in range(count)]
        while writer.written < count:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.wait(tasks)

    arun(main())
    gc.collect()
    assert f"Its samples are kept ({count})" in capsys.readouterr().err
    with FileWriter(tmp_path / "x", resume=True, disable=True) as writer:
        assert writer.written == count
    with MsgpackReader(tmp_path / "x") as reader:
        assert list(reader.keys()) == [f"{i:02}" for i in range(count)]


def test_interrupt_in_a_block_discards_the_dataset_as_any_exception(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), FileWriter(tmp_path / "x", disable=True) as writer:  # noqa: PT012
        monkeypatch.setattr(writer._digest, "update", interrupted)
        writer.write({"key": "b", "x": bytes(2_000_000)})
    assert not list(tmp_path.iterdir())


def test_interrupted_close_keeps_all_samples(tmp_path, monkeypatch, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), FileWriter(tmp_path / "x", disable=True) as writer:  # noqa: PT012
        writer.write({"key": "a"})
        monkeypatch.setattr(writer._destination, "sync", interrupted)
    assert "Its samples are kept (1)" in capsys.readouterr().err
    with FileWriter(tmp_path / "x", resume=True, disable=True) as writer:
        assert "a" in writer


def test_full_disk_is_named(tmp_path, monkeypatch, capsys):
    def full(*args):
        raise OSError(28, "No space left on device")

    writer = FileWriter(tmp_path / "x", disable=True)
    writer.write({"key": "a"})
    monkeypatch.setattr(writer._destination.data, "_write", full)
    del writer
    gc.collect()
    assert "Its samples are kept (0) (No space left on device): `ddfast recover" in capsys.readouterr().err


def test_samples_under_a_url_are_lost_and_it_is_said(capsys):
    writer = FileWriter("memory://unclosed/x", disable=True)
    writer.write({"key": "a"})
    del writer
    gc.collect()
    assert (
        "ddfast: the writer of memory://unclosed/x was not closed, so its samples are lost. Nothing of the new dataset "
        "is visible" in capsys.readouterr().err
    )


def test_closed_and_discarded_writers_say_nothing(tmp_path, capsys):
    for name in "xy":
        writer = FileWriter(tmp_path / name, disable=True)
        writer.write({"key": "a"})
        writer.close() if name == "x" else writer.discard()
        del writer
    gc.collect()
    assert capsys.readouterr().err == ""
