"""Going on with what a dead writer left, appending, and keeping writers apart."""

import os
import struct
import sys
import warnings

import pytest
from datasets import descriptors as all_descriptors
from datasets import some_samples, write
from xxhash import xxh3_64_intdigest

from ddfast import AsyncFileWriter, FileWriter, MsgpackReader, RawWriter
from ddfast.errors import (
    DatasetBusyError,
    DatasetNotFoundError,
    ResumeError,
    UnfinishedDatasetError,
)
from ddfast.format import journal, lock
from ddfast.format.files import draft_path, journal_path
from ddfast.recovery import find_unfinished
from ddfast.writer import write_index

SAMPLES = some_samples(60)
KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
from datasets import some_samples
from ddfast import FileWriter
from ddfast.writer import samples
samples.CHUNK_BYTES = 5000
writer = FileWriter("x", overwrite=True, disable=True)
for sample in some_samples(60)[:{count}]:
    writer.write(sample)
writer._destination.data.wait()
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x"


@pytest.fixture
def dead(path, run_python):
    """A path where a writer died that had been given 40 samples; how many of them reached the draft."""
    tests = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    assert run_python("-c", KILLED.format(tests=tests, count=40)).returncode == -9
    return find_unfinished(path).announced


def files(path):
    return {file.name: file.read_bytes() for file in sorted(path.parent.iterdir())}


def expected(tmp_path, samples=SAMPLES):
    return files(write(tmp_path / "expected" / "x", samples, "ddfast"))


def go_on(path, samples=SAMPLES, **options):
    with FileWriter(path, resume=True, overwrite=True, disable=True, **options) as writer:
        before = writer.written
        for sample in samples:
            if sample["key"] not in writer:
                writer.write(sample)
    return before


def test_a_reader_that_finds_a_draft_alone_is_told_how_to_save_it(path, dead):
    with pytest.raises(
        DatasetNotFoundError, match=r"x not found\. A writer has started it.*`ddfast recover .*x`"
    ):
        MsgpackReader(path)


def test_resumed_dataset_is_that_of_a_writer_that_lived(path, dead):
    assert go_on(path) == dead > 30
    found = files(path)
    assert found == expected(path.parent)


def test_asynchronous_writer_resumes_too(path, dead, arun):
    async def main():
        async with AsyncFileWriter(path, resume=True, disable=True) as writer:
            assert writer.written == dead
            for sample in SAMPLES:
                if sample["key"] not in writer:
                    await writer.write(sample)

    arun(main())
    found = files(path)
    assert found == expected(path.parent)


def test_asynchronous_writer_that_is_not_entered_resumes_with_the_first_sample(path, dead, arun):
    async def main():
        writer = AsyncFileWriter(path, resume=True, disable=True)
        await writer.write(SAMPLES[59])
        await writer.close()
        return writer.written

    assert arun(main()) == dead + 1


@pytest.mark.parametrize("how", ["missing", "empty", "other", "header", "entry", "cut"])
def test_damaged_journal_is_made_up_for_by_scanning(path, dead, how):
    name = journal_path(path)
    content = bytearray(name.read_bytes())
    if how == "missing":
        name.unlink()
    elif how == "cut":
        name.write_bytes(content[: len(content) // 2])
    else:
        content[
            {"empty": slice(None), "other": slice(None), "header": slice(5), "entry": slice(200, 201)}[how]
        ] = b"" if how == "empty" else b"zzzzz" * (20 if how == "other" else 1)
        name.write_bytes(content)
    assert go_on(path) == dead
    found = files(path)
    assert found == expected(path.parent)


def test_draft_is_cut_where_it_is_damaged(path, dead):
    draft = draft_path(path)
    content = bytearray(draft.read_bytes())
    content[-100] ^= 1
    draft.write_bytes(content)
    assert 0 < go_on(path) < dead
    found = files(path)
    assert found == expected(path.parent)


def test_journal_that_asks_for_other_files_is_not_believed(path):
    name = journal_path(path)
    opened = journal.Journal(name)
    opened.begin()
    opened.add("complete", ["/../../secret"], True, True, "x")
    opened.close()
    state = journal.parse(name.read_bytes())
    assert state.damaged
    assert state.publication is None


@pytest.mark.parametrize(
    "entry", [[], ["what"], ["samples", ["a"], b"", b""], ["samples", [1], b"8" * 8, b"8" * 8], 7]
)
def test_senseless_entries_are_damage(path, entry):
    import msgpack

    payload = msgpack.packb(entry)
    header = journal.MAGIC.ljust(journal.HEADER_BYTES)
    frame = struct.pack(">QQ", len(payload), xxh3_64_intdigest(payload))
    assert journal.parse(header + frame + payload).damaged


def test_new_writer_says_what_it_throws_away(path, dead):
    with pytest.warns(
        UserWarning,
        match=r"x: the draft of a writer that was stopped is removed \([\d,]+ bytes\).*resume=True",
    ) as caught:
        FileWriter(path, disable=True).close()
    assert caught[0].filename == __file__
    assert len(MsgpackReader(path)) == 0


def test_exception_keeps_what_a_resuming_writer_has(path):
    with pytest.raises(RuntimeError), FileWriter(path, resume=True, disable=True) as writer:  # noqa: PT012
        for sample in SAMPLES[:7]:
            writer.write(sample)
        raise RuntimeError
    assert sorted(files(path)) == [".x.draft", ".x.journal"]
    assert go_on(path) == 7


def test_discarded_resuming_writer_leaves_nothing(path):
    writer = FileWriter(path, resume=True, disable=True)
    writer.write(SAMPLES[0])
    writer.discard()
    assert files(path) == {}


@pytest.mark.parametrize("checksums", [True, False])
def test_appended_dataset_is_that_of_one_writer(path, checksums):
    write(path, SAMPLES[:25], "ddfast")
    with FileWriter(path, append=True, disable=True, checksums=checksums) as writer:
        assert writer.written == 25
        for sample in SAMPLES[25:]:
            writer.write(sample)
    found, wanted = files(path), expected(path.parent)
    if not checksums:
        del wanted["x.xxh3"]
    assert found == wanted


def test_appending_to_nothing_writes_a_new_dataset(path, arun):
    async def main():
        async with AsyncFileWriter(path, append=True, disable=True) as writer:
            await writer.write(SAMPLES[0])

    arun(main())
    found = files(path)
    assert found == expected(path.parent, SAMPLES[:1])


def test_old_dataset_stays_whole_while_it_is_appended_to(path):
    write(path, SAMPLES[:25], "ddfast")
    before = files(path)
    with pytest.raises(RuntimeError), FileWriter(path, append=True, disable=True) as writer:  # noqa: PT012
        writer.write(SAMPLES[25])
        raise RuntimeError
    assert files(path) == before


def test_appending_goes_on_where_it_was_stopped(path):
    write(path, SAMPLES[:25], "ddfast")
    with pytest.raises(RuntimeError), FileWriter(path, append=True, resume=True, disable=True) as writer:  # noqa: PT012
        writer.write(SAMPLES[25])
        raise RuntimeError
    assert go_on(path, append=True) == 26
    found = files(path)
    assert found == expected(path.parent)


def test_draft_that_was_not_appending_is_not_appended_to(path, dead):
    write(path, SAMPLES[50:], "datadings")
    before = files(path)
    with pytest.raises(ResumeError, match=r"does not begin with the samples of the dataset.*--discard"):
        FileWriter(path, append=True, resume=True, disable=True)
    assert files(path).keys() == before.keys()


@pytest.mark.parametrize("writer_class", [FileWriter, RawWriter, AsyncFileWriter])
def test_second_writer_is_refused(path, writer_class):
    with FileWriter(path, disable=True) as writer:
        with pytest.raises(DatasetBusyError, match=rf"x is being written by process {os.getpid()}\. Wait"):
            writer_class(path, disable=True)
        with pytest.raises(BlockingIOError):
            write_index(path, [], [0], [])
        writer.write(SAMPLES[0])
    assert len(MsgpackReader(path)) == 1


def test_writers_by_two_links_to_one_file_are_kept_apart(path, tmp_path):
    (tmp_path / "disk").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(tmp_path / "disk" / "data")
    with FileWriter(tmp_path / "a", disable=True), pytest.raises(DatasetBusyError):
        FileWriter(tmp_path / "b", disable=True)


def test_file_systems_without_locks_are_written_to(path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    FileWriter(path, disable=True).close()
    assert len(MsgpackReader(path)) == 0


def stop_while_renaming(path, monkeypatch):
    """Write over a dataset; the writer fails while the files take their names."""
    write(path, SAMPLES[:3], "ddfast")

    def fail(self, target):
        if self.name == ".x.draft":
            raise PermissionError(1, "not permitted")
        os.replace(self, target)  # noqa: PTH105

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "replace", fail)
        with pytest.raises(PermissionError, match=r"complete as .*ddfast recover"):
            write(path, SAMPLES, "ddfast")


def test_reader_finishes_what_only_lacks_names(path, monkeypatch):
    stop_while_renaming(path, monkeypatch)
    with MsgpackReader(path) as reader:
        assert len(reader) == 60
    found = files(path)
    assert found == expected(path.parent)


def test_writer_finishes_what_only_lacks_names(path, monkeypatch):
    stop_while_renaming(path, monkeypatch)
    with FileWriter(path, append=True, disable=True) as writer:
        assert writer.written == 60


def test_reader_that_may_not_rename_says_who_should(path, monkeypatch):
    stop_while_renaming(path, monkeypatch)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "open_locked", refuse)
        with pytest.raises(UnfinishedDatasetError, match=r"Permission denied.*`ddfast recover .*x`"):
            MsgpackReader(path)
    monkeypatch.setattr(type(path), "replace", refuse)
    with pytest.raises(UnfinishedDatasetError, match="cannot be renamed now: Permission denied"):
        MsgpackReader(path)


def test_reader_leaves_a_writer_that_lives_alone(path):
    with FileWriter(path, disable=True), pytest.raises(DatasetNotFoundError):
        MsgpackReader(path)


def test_dataset_that_was_written_by_a_link_is_finished_by_it(path, tmp_path, monkeypatch):
    (tmp_path / "link").mkdir()
    link = tmp_path / "link" / "y"
    link.symlink_to(path)
    write(link, SAMPLES[:3], "ddfast")

    def fail(self, target):
        raise PermissionError(1, "not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "replace", fail)
        with pytest.raises(PermissionError):
            write(link, SAMPLES, "ddfast")
    with pytest.raises(UnfinishedDatasetError, match=r"wrote the dataset as .*link/y"):
        FileWriter(path, overwrite=True, disable=True)
    assert len(MsgpackReader(link)) == 60


def test_index_can_be_written_while_a_draft_waits(path, dead):
    write_index(path, ["a"], [0, 5], [("x", "0" * 32)])
    assert find_unfinished(path).announced == dead
    assert go_on(path) == dead


def test_long_names_are_shortened(tmp_path):
    path = tmp_path / ("n" * 240)
    with FileWriter(path, disable=True) as writer:
        writer.write(SAMPLES[0])
        assert max(len(name) for name in files(path)) < 100
    assert len(MsgpackReader(path)) == 1


@pytest.mark.parametrize("count", [0, 1, 60])
def test_checksums_file_has_one_xxh3_a_sample(path, count):
    write(path, SAMPLES[:count], "ddfast")
    with MsgpackReader(path) as reader:
        packed = [bytes(each) for each in reader.iter(raw=True)]
    found = struct.unpack(f">{count}Q", (path.parent / "x.xxh3").read_bytes())
    assert list(found) == [xxh3_64_intdigest(each) for each in packed]
    assert "xxh3" not in (path.parent / "x.md5").read_text()


def test_checksums_of_an_old_dataset_go_where_none_are_wanted(path):
    write(path, SAMPLES, "ddfast")
    FileWriter(path, overwrite=True, disable=True, checksums=False).close()
    assert "x.xxh3" not in files(path)


def test_progress_of_going_on_is_silent_when_disabled(path, dead, capsys):
    go_on(path)
    assert capsys.readouterr() == ("", "")


def test_nothing_is_warned_of_when_nothing_was_left(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert go_on(path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks at open files in /proc")
def test_no_file_stays_open(path, dead):
    def descriptors():
        return {each for each in all_descriptors() if str(path.parent) in each[1]}

    before = descriptors()
    go_on(path)
    with pytest.raises(FileExistsError), pytest.MonkeyPatch.context() as patched:  # noqa: PT012
        patched.setattr("builtins.input", lambda: "no")
        FileWriter(path, disable=True)
    assert descriptors() == before
