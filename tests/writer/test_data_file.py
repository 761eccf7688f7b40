"""Writing past the page cache: where a system refuses it, the file is the same."""

import errno
import fcntl
import os
from io import FileIO

import pytest

from ddfast.writer import data_file
from ddfast.writer.data_file import BUFFER_BYTES, DirectWriter

HEAD = b"head" * 1025  # ends between two blocks
DATA = os.urandom(2 * BUFFER_BYTES + 5000)


@pytest.fixture
def file(tmp_path):
    with FileIO(tmp_path / "x", "x+") as opened:
        opened.write(HEAD)
        yield opened


def content(file):
    file.seek(0)
    return file.readall()


def test_what_is_appended_follows_what_was_there(file):
    output = DirectWriter.start(file)
    if output is None:
        pytest.skip("this file system has no direct writes")
    for start in range(0, len(DATA), 1_000_003):
        output.write(DATA[start : start + 1_000_003])
    output.finish()
    file.write(b"tail")
    assert content(file) == HEAD + DATA + b"tail"


def test_a_system_that_refuses_is_left_alone(file, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EINVAL, "refused")

    monkeypatch.setattr(data_file, "is_local", lambda fd: True)
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert DirectWriter.start(file) is None
    file.write(b"tail")
    assert content(file) == HEAD + b"tail"


@pytest.mark.parametrize("refused", [1, 2])
def test_a_disk_that_refuses_later_gets_it_by_way_of_the_page_cache(file, monkeypatch, refused):
    class Fickle:
        """A file whose n-th write is refused."""

        def __init__(self):
            self.writes = 0

        def __getattr__(self, name):
            return getattr(file, name)

        def write(self, data):
            self.writes += 1
            if self.writes == refused:
                raise OSError(errno.EINVAL, "refused")
            return file.write(data)

    output = DirectWriter.start(file)
    if output is None:
        pytest.skip("this file system has no direct writes")
    monkeypatch.setattr(output, "_file", Fickle())
    output.write(DATA)
    output.finish()
    assert content(file) == HEAD + DATA


def test_a_full_disk_is_told(file, monkeypatch):
    output = DirectWriter.start(file)
    if output is None:
        pytest.skip("this file system has no direct writes")

    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(output, "_file", Full())
    with pytest.raises(OSError, match="full"):
        output.write(DATA)
