"""`index` and `recover` in folders that a stranger has prepared: with links, pipes, and private files."""

import os
import signal
import stat

import msgpack
import pytest
from datasets import beside, write

from ddfast import MsgpackReader
from ddfast.commands import _run, index, info, recover, verify
from ddfast.format.files import SUFFIX_LEGACY_INDEX, SUFFIX_META, SUFFIX_TABLE, SUFFIXES

SAMPLES = [{"key": f"k{i}", "x": i} for i in range(30)]
INDEX = sorted({*SUFFIXES} - {SUFFIX_LEGACY_INDEX, SUFFIX_META, SUFFIX_TABLE})
DRAFTS = [".x.journal", ".x.draft", *(f".x.draft{suffix}" for suffix in INDEX)]
COMMANDS = {
    "index": ["index", "-y"],
    "index --checksums": ["index", "-y", "--checksums"],
    "recover": ["recover", "-y"],
    "recover -o": ["recover", "-y", "-o", "saved"],
    "recover --discard": ["recover", "--discard"],
    "verify": ["verify"],
    "info": ["info"],
}


MODULES = {"index": index, "recover": recover, "verify": verify, "info": info}


@pytest.fixture
def folder(tmp_path):
    """A dataset in a folder of a stranger, next to a file of the user."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "precious").write_text("precious")
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "x", SAMPLES, "ddfast")
    return tmp_path / "set"


def run_in(folder, command):
    """Run a command of the dataset. Returns its exit status; TimeoutError if it does not end."""

    def stop(*_):
        raise TimeoutError(command)

    name, *options = [str(folder / each) if each == "saved" else each for each in COMMANDS[command]]
    handler = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    try:
        return _run.run(MODULES[name], f"ddfast {name}", [str(folder / "x"), *options])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", DRAFTS)
def test_link_in_the_place_of_an_unfinished_file_leads_to_no_other_file(folder, command, name):
    victim = folder.parent / "home" / "precious"
    (folder / name).symlink_to(victim)
    (folder / "saved").symlink_to(victim) if command == "recover" else None
    run_in(folder, command)
    assert victim.read_text() == "precious"
    assert [file.name for file in victim.parent.iterdir()] == ["precious"]


@pytest.mark.parametrize("command", ["index", "index --checksums"])
def test_link_in_the_place_of_an_index_file_is_replaced_and_not_followed(folder, command):
    victim = folder.parent / "home" / "precious"
    for suffix in INDEX:
        if suffix != ".offsets" or command == "index":
            beside(folder / "x", suffix).unlink()
            beside(folder / "x", suffix).symlink_to(victim)
    run_in(folder, command)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["x", *(f"x{suffix}" for suffix in INDEX), *DRAFTS])
def test_pipe_in_the_place_of_a_file_does_not_stop_a_command(folder, command, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert run_in(folder, command) in (0, 1, 2)


@pytest.mark.parametrize("name", ["x", "x.offsets", "x.keys", "x.md5"])
def test_verify_names_a_pipe(folder, capsys, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert run_in(folder, "verify") == 1
    captured = capsys.readouterr()
    assert name in captured.out + captured.err


def modes(folder):
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.parametrize("command", ["index", "index --checksums"])
def test_private_dataset_stays_private(folder, command):
    for file in folder.iterdir():
        file.chmod(0o600)
    assert run_in(folder, command) == 0
    assert modes(folder) == {0o600}


def test_index_of_a_private_data_file_is_private(folder):
    for suffix in INDEX:
        beside(folder / "x", suffix).unlink()
    (folder / "x").chmod(0o600)
    assert run_in(folder, "index") == 0
    assert modes(folder) == {0o600}
    assert len(MsgpackReader(folder / "x")) == len(SAMPLES)


def test_keys_of_a_stranger_are_written_to_no_file_of_the_user(folder):
    victim = folder.parent / "home" / "precious"
    (folder / ".y.draft.keys").symlink_to(victim)
    (folder / "y").write_bytes(msgpack.packb({"key": "\nssh-ed25519 AAAA stranger\n"}))
    assert _run.run(index, "ddfast index", ["-y", str(folder / "y")]) == 0
    assert victim.read_text() == "precious"
    assert not (folder / "y.keys").is_symlink()
