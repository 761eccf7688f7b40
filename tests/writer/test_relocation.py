"""Datasets are copied, moved and removed with all of their files, and no reader finds a mixture."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
from datasets import SUFFIXES, beside, some_samples, write, write_legacy

import ddfast
from ddfast import FileWriter, MsgpackReader
from ddfast.commands.verify import verify
from ddfast.errors import (
    DatasetBusyError,
    DatasetChangedError,
    DatasetNotFoundError,
    UnfinishedDatasetError,
)
from ddfast.index import load_offsets
from ddfast.writer import copy_dataset, move_dataset, relocation, remove_dataset, source_files
from ddfast.writer.relocation import renamed_digests

ALL = ("", *SUFFIXES, ".md5", ".xxh3")

# Of programs that are started in another folder: they import the package under test.
ENV = {**os.environ, "PYTHONPATH": str(Path(ddfast.__file__).parent.parent)}
SAMPLES = some_samples(20)
OTHERS = [{"key": f"other {i}", "value": bytes(i)} for i in range(7)]
WAYS = pytest.mark.parametrize("way", [copy_dataset, move_dataset], ids=["copy", "move"])


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES, "ddfast")


@pytest.fixture
def other(tmp_path):
    return write(tmp_path / "y.msgpack", OTHERS, "ddfast")


@pytest.fixture(params=["links", "no links"])
def links(request, monkeypatch):
    """Whether the file system has hard links."""

    def refuse(*args, **options):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse)
    return request.param


def files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def keys(path, check="sample"):
    with MsgpackReader(path, verify=check) as reader:
        assert [sample["key"] for sample in reader] == list(reader.keys())
        return list(reader.keys())


def assert_sound(path):
    assert not verify(path).findings
    with MsgpackReader(path) as reader:
        assert reader.verify_data()
        assert reader.verify_index()


@WAYS
@pytest.mark.parametrize("exists", [False, True])
def test_all_files_get_the_new_name_and_the_digests_too(source, tmp_path, way, exists, links):
    target = tmp_path / "folder/name with spaces.bin"
    if exists:
        write_legacy(target.parent.mkdir() or target, OTHERS)
    before = files(tmp_path)
    written = way(source, target, overwrite=exists)
    assert sorted(written) == sorted(beside(target, suffix) for suffix in ALL)
    assert sorted(files(target.parent)) == sorted(file.name for file in written)
    for suffix in set(ALL) - {".md5"}:
        assert beside(target, suffix).read_bytes() == before[f"x.msgpack{suffix}"]
    assert_sound(target)
    assert keys(target) == [sample["key"] for sample in SAMPLES]
    assert files(tmp_path) == (before if way is copy_dataset else {})


@WAYS
@pytest.mark.parametrize("kept", [*permutations(SUFFIXES, 2), (".offsets",), (".offsets", ".md5", ".xxh3")])
def test_no_file_of_the_replaced_dataset_remains(source, other, way, kept):
    for suffix in set(ALL) - {"", *kept}:
        beside(source, suffix).unlink()
    if ".offsets" not in kept:
        with pytest.raises(DatasetNotFoundError, match=r"has no index. Make one with `ddfast index"):
            way(source, other, overwrite=True)
        assert_sound(other)
        return
    way(source, other, overwrite=True)
    assert {suffix for suffix in ALL if beside(other, suffix).exists()} == {"", *kept}


@WAYS
@pytest.mark.parametrize("both", [False, True])
def test_legacy_datasets_are_moved_too(tmp_path, other, way, both):
    source = write_legacy(tmp_path / "x", SAMPLES, remove=not both)
    way(source, other, overwrite=True)
    found = {file.name.removeprefix(other.name) for file in tmp_path.iterdir() if file.name.startswith("y")}
    assert found == {"", ".index", ".md5", *(SUFFIXES if both else ())}
    assert keys(other, None) == [sample["key"] for sample in SAMPLES]
    if not both:
        assert_sound(other)


@WAYS
@pytest.mark.parametrize("target_is", ["legacy", "new", "both", "missing"])
@pytest.mark.parametrize("source_is", ["legacy", "new", "both"])
def test_no_reader_finds_a_mixture(tmp_path, way, links, source_is, target_is, monkeypatch):
    """After each step, what a reader finds is one of both datasets, or none."""

    def make(path, kind, samples):
        if kind in ("legacy", "both"):
            write_legacy(path, samples, remove=kind == "legacy")
        elif kind == "new":
            write(path, samples, "ddfast")
        return path

    source = make(tmp_path / "x.msgpack", source_is, SAMPLES)
    target = make(tmp_path / "y.msgpack", target_is, OTHERS)
    sound = {tuple(sample["key"] for sample in samples) for samples in (SAMPLES, OTHERS)}
    looks = []

    def look(path):
        table = next((file for s in (".offsets", ".index") if (file := beside(path, s)).exists()), None)
        if path.exists() and table is not None:
            found = tuple(MsgpackReader(path).keys())
            assert found in sound
            assert len(found) == len(load_offsets(path)) - 1 if table.suffix == ".offsets" else True
            assert [sample["key"] for sample in MsgpackReader(path)] == list(found)
            looks.append(path)

    for name in ("replace", "unlink"):
        original = getattr(Path, name)

        def step(self, *args, original=original, **options):
            result = original(self, *args, **options)
            look(source)
            look(target)
            return result

        monkeypatch.setattr(Path, name, step)
    way(source, target, overwrite=True)
    assert {source, target} <= set(looks)


@WAYS
def test_existing_files_are_refused_without_overwrite(source, other, tmp_path, way):
    before = files(tmp_path)
    with pytest.raises(FileExistsError, match=r"pass overwrite=True.*y\.msgpack'"):
        way(source, other)
    other.unlink()
    del before[other.name]
    with pytest.raises(FileExistsError, match=r"pass overwrite=True.*y\.msgpack\.offsets'"):
        way(source, other)
    assert files(tmp_path) == before


@WAYS
def test_one_dataset_is_not_its_own_target(source, tmp_path, way):
    before = files(tmp_path)
    (tmp_path / "link").symlink_to(".")
    for target in (source, tmp_path / "link/x.msgpack"):
        with pytest.raises(ValueError, match="are the same file"):
            way(source, target, overwrite=True)
    os.link(source, tmp_path / "z")
    with pytest.raises(ValueError, match=r"remove one of them with `ddfast rm`"):
        way(source, tmp_path / "z", overwrite=True)
    (tmp_path / "z").unlink()
    assert files(tmp_path) == before


@WAYS
def test_links_are_not_followed_to_a_target(source, tmp_path, way):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "y").symlink_to(victim)
    with pytest.raises(ValueError, match=r"is a symbolic link\. Remove it first"):
        way(source, tmp_path / "y", overwrite=True)
    for suffix in (".offsets", ".keys", ".md5"):
        (tmp_path / f".y.msgpack.draft{suffix}").symlink_to(victim)
        (tmp_path / f"y.msgpack{suffix}").symlink_to(victim)
    way(source, tmp_path / "y.msgpack", overwrite=True)
    assert victim.read_bytes() == b"precious"
    assert_sound(tmp_path / "y.msgpack")


def test_links_are_copied_but_not_moved(source, tmp_path):
    (tmp_path / "links").mkdir()
    for suffix in ALL:
        (tmp_path / f"links/z{suffix}").symlink_to(beside(source, suffix))
    with pytest.raises(ValueError, match=r"z is a symbolic link. Copy what it points to with `ddfast cp`"):
        move_dataset(tmp_path / "links/z", tmp_path / "y")
    copy_dataset(tmp_path / "links/z", tmp_path / "y")
    assert_sound(tmp_path / "y")
    assert not (tmp_path / "y").is_symlink()
    removed = remove_dataset(tmp_path / "links/z")
    assert len(removed) == len(ALL)
    assert_sound(source)


@WAYS
def test_pipes_are_refused(source, tmp_path, way):
    beside(source, ".keys").unlink()
    os.mkfifo(beside(source, ".keys"))
    with pytest.raises(OSError, match="not a regular file"):
        way(source, tmp_path / "y")
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
@pytest.mark.parametrize("exists", [False, True])
@WAYS
def test_access_rights_stay(source, other, tmp_path, way, mode, exists, links):
    private, target = (other, other) if exists and way is copy_dataset else (source, tmp_path / "z")
    for suffix in ALL:
        beside(private, suffix).chmod(mode)
    way(source, target, overwrite=exists)
    assert {stat.S_IMODE(beside(target, suffix).stat().st_mode) for suffix in ALL} == {mode}


def writing(path, stopped=False):
    """A writer that has started, or was killed."""
    code = f"""
import os, signal
from ddfast import FileWriter
writer = FileWriter({str(path)!r}, disable=True, overwrite=True)
for i in range(3):
    writer.write({{"key": str(i), "x": bytes(1 << 20)}})
writer.flush() if hasattr(writer, "flush") else None
print("started", flush=True)
{"os.kill(os.getpid(), signal.SIGKILL)" if stopped else "input()"}
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, cwd=path.parent, env=ENV)
    assert child.stdout.readline() == b"started\n"
    if stopped:
        child.wait()
        child.stdin.close()
        child.stdout.close()
    return child


@pytest.mark.parametrize("busy", ["x.msgpack", "y.msgpack"])
def test_a_dataset_that_is_being_written_is_left_alone(source, tmp_path, busy):
    before = files(tmp_path)
    with writing(tmp_path / busy) as child:
        for work in (move_dataset, *([copy_dataset] if busy == "y.msgpack" else [])):
            with pytest.raises(DatasetBusyError, match="is being written by process"):
                work(source, tmp_path / "y.msgpack", overwrite=True)
        with pytest.raises((DatasetBusyError, DatasetNotFoundError)):
            remove_dataset(tmp_path / busy)
        child.kill()
    assert {name: data for name, data in files(tmp_path).items() if not name.startswith(".")} == before


@pytest.mark.parametrize("draft", ["x.msgpack", "y.msgpack"])
def test_the_draft_of_a_stopped_writer_is_not_lost(source, other, tmp_path, draft):
    writing(tmp_path / draft, stopped=True)
    before = files(tmp_path)
    assert f".{draft}.draft" in before
    for work in (move_dataset, *([copy_dataset] if draft == "y.msgpack" else [])):
        with pytest.raises(UnfinishedDatasetError, match=rf"ddfast recover --discard .*{draft}"):
            work(source, other, overwrite=True)
    assert files(tmp_path) == before
    remove_dataset(tmp_path / draft)
    kept = {f".{draft}.draft", f".{draft}.journal"}
    assert {name for name in files(tmp_path) if draft in name} == kept
    with FileWriter(tmp_path / draft, resume=True, disable=True) as writer:
        assert writer.written > 0


@WAYS
def test_a_dataset_that_is_replaced_meanwhile_is_not_copied(source, tmp_path, way, monkeypatch):
    place = relocation._place

    def replace(file, *args):
        if file.path == source:
            write(source, OTHERS, "datadings")
        place(file, *args)

    monkeypatch.setattr(relocation, "_place", replace)
    with pytest.raises(DatasetChangedError, match=r"x\.msgpack.* was replaced or written to"):
        way(source, tmp_path / "y.msgpack")
    assert {name for name in files(tmp_path) if "y.msgpack" in name} == set()


@WAYS
def test_a_full_disk_leaves_the_source(source, tmp_path, way, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_link(*args, **options):
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(source_files.os, "fsync", full)
    before = files(tmp_path)
    with pytest.raises(OSError, match=r"No space left on device: cannot copy it to .*'.*x\.msgpack"):
        way(source, tmp_path / "y.msgpack")
    assert files(tmp_path) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from ddfast.writer import copy_dataset, move_dataset
way, left = globals()[sys.argv[1]], 0
def dies(function):
    def run(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)
    return run
calls = [(os, name) for name in ("link", "fsync", "open", "write")]
for owner, name in [*calls, (Path, "replace"), (Path, "unlink")]:
    setattr(owner, name, dies(getattr(owner, name)))
for step, folder in enumerate(sys.argv[2:]):
    child = os.fork()
    if not child:
        left = step + 1
        way(Path(folder, "x.msgpack"), Path(folder, "y.msgpack"), overwrite=True)
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("exists", [False, True])
@WAYS
def test_killed_at_any_step_no_dataset_is_lost(tmp_path, way, exists):
    """Both names are sound datasets of either content or missing, and one has the samples of the source."""
    wanted, old = ([sample["key"] for sample in samples] for samples in (SAMPLES, OTHERS))
    folders = [tmp_path / str(step) for step in range(80)]
    write(tmp_path / "0/x.msgpack", SAMPLES, "ddfast")
    if exists:
        write(tmp_path / "0/y.msgpack", OTHERS, "ddfast")
    for folder in folders[1:]:
        shutil.copytree(folders[0], folder)
    child = subprocess.run(
        [sys.executable, "-c", KILLED, way.__name__, *map(str, folders)],
        capture_output=True,
        check=True,
        cwd=folders[0],
        env=ENV,
    )
    assert {int(status) for status in child.stdout.split()} == {0, signal.SIGKILL}
    for folder in folders:
        source, target = folder / "x.msgpack", folder / "y.msgpack"
        for continued in (False, True):
            found = {path: keys(path) for path in (source, target) if path.exists()}
            for path in found:
                assert_sound(path)
            assert wanted in found.values()
            assert found.get(source, wanted) == wanted
            assert found.get(target) in (wanted, old if exists else None)
            if not continued:  # writers that continue what was left do no harm
                for path in (source, target):
                    try:
                        FileWriter(path, resume=True, overwrite=True, disable=True).discard()
                    except OSError as error:
                        assert error.errno == errno.EMLINK  # noqa: PT017


def test_removing_takes_all_files_and_no_others(source, other, tmp_path):
    (tmp_path / "x.msgpack.txt").touch()
    removed = remove_dataset(source)
    assert sorted(removed) == sorted(beside(source, suffix) for suffix in ALL)
    assert not any(file.exists() for file in removed)
    assert sorted(files(tmp_path)) == sorted(["x.msgpack.txt", *(f"y.msgpack{suffix}" for suffix in ALL)])
    with pytest.raises(DatasetNotFoundError, match=r"x\.msgpack not found"):
        remove_dataset(source)


def test_removing_takes_the_index_files_that_remain(source):
    source.unlink()
    assert len(remove_dataset(source)) == len(ALL) - 1


def test_a_file_that_may_be_no_dataset_is_not_removed(tmp_path):
    path = tmp_path / "notes.txt"
    path.touch()
    with pytest.raises(ValueError, match=r"notes\.txt has no index files, so it may be no dataset"):
        remove_dataset(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        remove_dataset(tmp_path / "folder")
    assert path.exists()


def test_a_draft_with_a_second_name_is_not_continued(source, tmp_path):
    os.link(source, tmp_path / ".y.draft")
    before = source.read_bytes()
    with pytest.raises(OSError, match="second name"):
        FileWriter(tmp_path / "y", resume=True, disable=True)
    assert source.read_bytes() == before


A, B = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ""),
        ("no digest", "no digest"),
        (f"{A}  x\n{B}  x.keys\n", f"{A}  y z\n{B}  y z.keys\n"),
        (f"{A}  x\n{B}  another.keys\n", f"{A}  x\n{B}  another.keys\n"),
        (f"{A}  old\n{B}  old.keys", f"{A}  y z\n{B}  y z.keys\n"),
        (f"{A}  x.index\n{B}  x\n", f"{A}  y z.index\n{B}  y z\n"),
    ],
)
def test_names_of_the_dataset_change_in_digests(content, expected):
    assert renamed_digests(content.encode(), "x", "y z").decode() == expected


@WAYS
@pytest.mark.parametrize("name", [" x ", "two\nlines", "x.msgpack.new", "ß%20#?"])
def test_names_with_any_characters_keep_their_digests(source, tmp_path, way, name):
    way(source, tmp_path / name)
    assert_sound(tmp_path / name)
    move_dataset(tmp_path / name, tmp_path / "back")
    assert_sound(tmp_path / "back")
    assert beside(tmp_path / "back", ".md5").read_text().count("back") == len(SUFFIXES) + 1
