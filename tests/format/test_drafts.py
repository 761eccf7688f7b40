"""Unfinished files follow no links, and are as private as what they replace."""

import errno
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast.format.drafts import create, make_writable, open_regular, set_access, status_of


def mode_of(path):
    return stat.S_IMODE(path.lstat().st_mode)


def put(path, kind):
    """Something that is not a regular file. Returns the file that a link leads to."""
    victim = path.with_name("victim")
    victim.write_text("precious")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(victim if kind == "link" else path.with_name("nowhere"))
    return victim


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_created_file_takes_the_place_of_what_is_not_a_file(tmp_path, kind):
    victim = put(tmp_path / "x", kind)
    os.close(create(tmp_path / "x"))
    assert stat.S_ISREG((tmp_path / "x").lstat().st_mode)
    assert victim.read_text() == "precious"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["victim", "x"]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_what_is_not_a_file_is_not_opened(tmp_path, kind, write):
    put(tmp_path / "x", kind)
    with pytest.raises(OSError, match=r"not a regular file but a link, a pipe or the like\. Remove it.*/x'"):
        open_regular(tmp_path / "x", write)
    assert status_of(tmp_path / "x") is None


@given(mode=st.integers(0, 0o777), umask=st.integers(0, 0o777))
def test_file_gets_the_mode_of_another_one_under_any_umask(tmp_path_factory, mode, umask):
    folder = tmp_path_factory.mktemp("modes")
    model = folder / "model"
    model.touch()
    model.chmod(mode)
    old = os.umask(umask)
    try:
        file = create(folder / "x", status_of(model))
        assert mode_of(folder / "x") == mode | 0o600
        set_access(file, status_of(model))
        os.close(file)
    finally:
        os.umask(old)
    assert mode_of(folder / "x") == mode | 0o400
    make_writable(folder / "x")
    assert mode_of(folder / "x") == mode | 0o600


def test_file_system_without_modes_is_written_to(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    (tmp_path / "model").touch()
    monkeypatch.setattr(os, "fchmod", refuse)
    os.close(create(tmp_path / "x", status_of(tmp_path / "model")))
    assert mode_of(tmp_path / "x") == 0o600


def test_group_that_cannot_be_set_gets_no_access(tmp_path, monkeypatch):
    model = tmp_path / "model"
    model.touch()
    model.chmod(0o664)
    found = status_of(model)
    other = os.stat_result((*found[:5], found.st_gid + 1, *found[6:]))

    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    os.close(create(tmp_path / "x", other))
    assert mode_of(tmp_path / "x") == 0o604
