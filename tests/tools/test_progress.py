"""A bar that is not shown takes no lock, and no lock is shared with other processes."""

import io
import os
import signal
import threading

import pytest
import tqdm
from tqdm.std import TqdmDefaultWriteLock

from ddfast import FileWriter
from ddfast.tools import ProgressPrinter, make_printer
from ddfast.tools.hashing import hash_md5hex


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("options", [{"disable": True}, {"disable": None, "file": io.StringIO()}])
def test_bar_that_is_not_shown_takes_no_lock(options, monkeypatch):
    class Held:
        def __enter__(self):
            raise AssertionError("a lock is taken")

        acquire = __enter__

    monkeypatch.setattr(tqdm.tqdm, "_lock", Held(), raising=False)
    monkeypatch.setattr(ProgressPrinter, "_lock", Held())
    with make_printer(total=3, **options) as bar:
        bar()
        bar.update(2)
        bar.set_description("x")
        assert list(tqdm.tqdm._instances) == []
    bar.close()
    assert isinstance(bar, ProgressPrinter)
    assert bar.disable


def test_lock_of_a_bar_excludes_threads_only(monkeypatch):
    monkeypatch.delattr(TqdmDefaultWriteLock, "mp_lock", raising=False)
    stream = Terminal()
    with make_printer(total=3, file=stream, disable=None, bar_format="{n}") as bar:
        bar(3)
        bar.refresh()
    assert "3" in stream.getvalue()
    assert not hasattr(TqdmDefaultWriteLock, "mp_lock")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("killed", ["child", "thread of the parent"])
def test_killed_process_that_held_the_lock_stops_nobody(tmp_path, killed):
    """The child holds the lock when it is killed; or it is forked while a thread of its parent holds it."""
    stream = Terminal()
    make_printer(file=stream).close()
    held, done = threading.Event(), threading.Event()

    def hold():
        with ProgressPrinter.get_lock():
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    if killed != "child":
        thread.start()
        held.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        if killed == "child":
            ProgressPrinter.get_lock().acquire()
            os.kill(os.getpid(), signal.SIGKILL)
        with FileWriter(tmp_path / "y", file=Terminal(), bar_format="{n}") as writer:
            writer.write({"key": "a"})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    done.set()
    if killed == "child":
        assert status == signal.SIGKILL
        with FileWriter(tmp_path / "x", file=stream, bar_format="{n}") as writer:
            writer.write({"key": "a"})
        assert hash_md5hex(tmp_path / "x", progress=True)
    else:
        assert status == 0
        thread.join()
