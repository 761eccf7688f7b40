"""ZipFileReader returns the same files as that of datadings, from any thread and process, and detects damage."""

import contextlib
import copy
import gc
import multiprocessing
import operator
import os
import pickle
import shutil
import struct
import threading
import traceback
import warnings
import zipfile
import zlib
from pathlib import Path

import datadings.reader
import datadings.reader.zipfile
import pytest
from datasets import descriptors, overwrite
from hypothesis import assume, given
from hypothesis import strategies as st
from reading import assert_same_reader, outcome

from ddfast.errors import (
    CorruptArchiveError,
    DatasetNotFoundError,
    DuplicateKeyError,
    EncryptedMemberError,
    MemberNotFoundError,
    MissingLabelError,
    ReadError,
    UnsupportedCompressionError,
)
from ddfast.reader import ZipFileReader
from ddfast.reader import archive as our_archive
from ddfast.reader.zipfile import glob_pattern, yield_zipfile
from ddfast.testing import ReaderTests, assert_same_sample

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
NAMES = [
    "a/1.txt",
    "a/.hidden",
    "b10/2.txt",
    "a/sub/3.txt",
    "b9/ä.txt",
    "top.txt",
    "b9/£",
    "b10/empty",
    "/a/absolute",
    "../a/outside",
    "a/same name",
]


def content(name):
    return b"" if name.endswith("empty") else f"content of {name} ".encode() * 99


def write(path, method=zipfile.ZIP_DEFLATED, names=NAMES):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("folder/", "")
        for name in names:
            archive.writestr(name, content(name))
    return path


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.zip")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return write(tmp_path_factory.mktemp("zip") / "x.zip")


def both(*args, **kwargs):
    """Our reader and datadings', or the kinds of errors that they raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = outcome(ZipFileReader, *args, **kwargs)
    return ours, outcome(datadings.reader.ZipFileReader, *args, **kwargs)


def members(reader):
    """Names and labels of the members that a reader has found."""
    samples = [reader.get(i) for i in range(len(reader))]
    return [(sample["path"], sample["label"]) for sample in samples]


def close(reader):
    if hasattr(reader, "_zipfile"):
        reader._zipfile.close()


class TestZipFileReader(ReaderTests):
    @pytest.fixture
    def samples(self):
        order = ["", "..", "a", "b9", "b10"]
        samples = []
        for name in NAMES:
            label = name.split("/")[0]
            if "/" in name:
                sample = {"key": name, "label": order.index(label), "path": name, "_additional_info": []}
                samples.append({**sample, "_label": label, "data": content(name)})
        return samples

    @pytest.fixture(params=[*METHODS, "pickled"])
    def reader(self, tmp_path, request):
        path = write(tmp_path / "x.zip", METHODS.get(request.param, zipfile.ZIP_STORED))
        with ZipFileReader(path) as reader:
            yield pickle.loads(pickle.dumps(reader)) if request.param == "pickled" else reader


# -- the same as datadings

PATTERNS = [
    "{LABEL}/**",
    "{LABEL}/*",
    "{LABEL}/*.txt",
    "a/{LABEL}",
    "a/{LABEL}/*",
    "{LABEL}",
    "*",
    "**/*.txt",
    "?/*",
    "[ab]*/[!1]*",
    "{LABEL}/{LABEL}/*",
    "nothing",
    ["{LABEL}/*.txt", "b10/{LABEL}"],
    ["{LABEL}/*", "{LABEL}/*.txt"],
    (),
]


@pytest.mark.parametrize("labels", [None, ["b9", "a", "b10", None, "sub"]])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_any_pattern_gives_the_samples_of_datadings(kept, pattern, labels):
    readers = both(kept, pattern, labels)
    assert_same_reader(*readers)
    close(readers[1])


COMPONENT = st.sampled_from(["*", "**", "a", "b*", "{LABEL}", "?", "[ab]*", "*.txt", "sub", "", ".."])


@given(
    parts=st.lists(COMPONENT, min_size=1, max_size=3),
    include=st.lists(st.sampled_from(["*.txt", "a*", "*1*"]), max_size=2),
    exclude=st.lists(st.sampled_from(["*.txt", "b9*", "*1*"]), max_size=2),
)
def test_any_pattern_finds_the_members_that_datadings_finds(kept, parts, include, exclude):
    pattern = "/".join(parts)
    assume(not Path(pattern).is_file())  # a list of members, for both
    ours, theirs = both(str(kept), pattern, [None], False, include=include, exclude=exclude)
    if not isinstance(ours, type) and not isinstance(theirs, type):
        assert members(ours) == members(theirs)
    for reader in (ours, theirs):
        close(reader)


def test_lists_give_the_samples_of_datadings(kept, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a/1.txt,b\nb9/ä.txt,c,more,and more\ntop.txt,b\nnot there,b\n")
    readers = both(kept, [path], separator=",")
    assert_same_reader(*readers)
    close(readers[1])


def test_the_helpers_give_what_those_of_datadings_give(kept):
    theirs = datadings.reader.zipfile
    with zipfile.ZipFile(kept) as archive:
        infos = archive.infolist()
        assert list(glob_pattern(infos, "{LABEL}/**")) == list(theirs.glob_pattern(infos, "{LABEL}/**"))
        assert list(yield_zipfile(archive, ["a/*"], ",")) == list(theirs.yield_zipfile(archive, ["a/*"], ","))


def test_keys_begin_with_the_label_where_wildcards_come_first(kept):
    assert ZipFileReader(kept, "*/{LABEL}/3.txt").find_key(0) == "sub/3.txt"


def test_initfun_and_convertfun_are_called_as_in_datadings(kept):
    def redirect(sample):
        sample["key"], sample["path"] = sample["path"], "top.txt"

    def shorten(sample):
        sample["data"] = sample["data"][:7]

    readers = both(kept, initfun=redirect, convertfun=shorten)
    assert_same_reader(*readers)
    assert readers[0].get(0)["data"] == b"content"
    close(readers[1])


def test_an_archive_behind_other_bytes_is_read(tmp_path, path):
    prefixed = tmp_path / "prefixed.zip"
    prefixed.write_bytes(b"#!/bin/sh\n" * 99 + path.read_bytes())
    assert_same_sample(list(ZipFileReader(prefixed)), list(ZipFileReader(path)))


def test_members_with_streamed_sizes_and_zip64_are_read(tmp_path):
    path = tmp_path / "x.zip"
    with path.open("wb") as file, zipfile.ZipFile(Unseekable(file), "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a/1", "w", force_zip64=True) as member:
            member.write(content("a/1"))
        archive.writestr("a/2", content("a/2"))
    assert [sample["data"] for sample in ZipFileReader(path)] == [content("a/1"), content("a/2")]


class Unseekable:
    """A file that can only be written to."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


# -- life


def assert_reads(reader):
    names = [name for name in NAMES if "/" in name]
    for i in (3, 1, 2, 0):
        assert reader.get(i)["data"] == content(names[i])
    assert [sample["data"] for sample in reader.iter(0)] == list(map(content, names))


def test_closing_and_dropping_a_reader_closes_its_file(path):
    gc.collect()  # what other tests have left
    before = descriptors()
    with ZipFileReader(path) as reader:
        assert len(descriptors()) == len(before) + 1
        for _ in range(2):
            assert_reads(reader)
            assert len(descriptors()) == len(before) + 1
            reader.close()
            assert descriptors() == before
        reader.get(0)
    assert_reads(reader)
    other = copy.copy(reader)
    assert_reads(other)
    assert len(descriptors()) == len(before) + 1
    del other, reader
    gc.collect()
    assert descriptors() == before


def test_threads_share_a_reader_that_is_closed_meanwhile(path):
    reader = ZipFileReader(path)
    errors = []

    def work():
        try:
            for _ in range(20):
                assert_reads(copy.copy(reader))
                reader.close()
        except BaseException:
            errors.append(traceback.format_exc())

    running = [threading.Thread(target=work) for _ in range(6)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    assert errors == []


def read_often(reader):
    for _ in range(30):
        assert_reads(reader)


def test_forked_processes_share_a_reader(path):
    reader = ZipFileReader(path)
    assert_reads(reader)
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        running = [context.Process(target=read_often, args=(reader,)) for _ in range(3)]
        for process in running:
            process.start()
    read_often(reader)
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * len(running)


def test_a_spawned_process_opens_the_archive_again(path):
    reader = ZipFileReader(path)
    reader.get(0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(operator.methodcaller("get", 3), (reader,)) == reader.get(3)


# -- damage


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_changed_byte_anywhere_is_told_or_does_no_harm(tmp_path, method):
    path = write(tmp_path / "x.zip", method, ["a/1", "a/2"])
    whole = path.read_bytes()
    for at in range(0, len(whole), 7 if method == zipfile.ZIP_STORED else 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a name was hit: the pattern matches nothing
                reader = ZipFileReader(path, ["a/1", "a/2"], [None])
        except (CorruptArchiveError, DuplicateKeyError):
            continue
        for i in range(len(reader)):
            with contextlib.suppress(CorruptArchiveError, EncryptedMemberError, UnsupportedCompressionError):
                assert reader.get(i)["data"] == content(reader.find_key(i))


@pytest.mark.parametrize("cut", [0, 1, 21, 400, -1])
def test_a_cut_archive_is_refused_by_name(path, cut):
    os.truncate(path, cut % path.stat().st_size)
    with pytest.raises(CorruptArchiveError, match=r"x\.zip is not a ZIP archive, or is damaged: ") as caught:
        ZipFileReader(path)
    assert isinstance(caught.value, zipfile.BadZipFile)
    assert isinstance(caught.value, ValueError)


def test_an_archive_that_is_cut_while_it_is_open_is_named_with_the_member(path):
    with ZipFileReader(path) as reader:
        reader.get(0)
        os.truncate(path, 50)
        with pytest.raises(CorruptArchiveError, match=r"x\.zip: 'b9/ä.txt' is damaged: .*unzip -t"):
            reader.get(reader.find_index("b9/ä.txt"))


def test_an_archive_that_is_replaced_by_another_is_told(path, tmp_path):
    with ZipFileReader(path) as reader:
        reader.get(0)
        shutil.move(write(tmp_path / "y.zip", names=NAMES[2:]), path)
        assert_reads(reader)
        reader.close()
        with pytest.raises(CorruptArchiveError, match=r"'a/1.txt' is damaged: it does not begin at byte"):
            reader.get(0)


def member_field(path, name, offset, value):
    """Overwrite a field of a member in the list of members."""
    data = path.read_bytes()
    start = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    overwrite(path, start + offset, value)


def test_a_wrong_checksum_names_the_member(path):
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("a/sub/3.txt")
    member_field(path, "a/sub/3.txt", 16, struct.pack("<L", info.CRC ^ 1))
    with pytest.raises(
        CorruptArchiveError, match=r"'a/sub/3.txt' is damaged: the CRC-32 of its content does not match"
    ) as caught:
        ZipFileReader(path, "a/sub/{LABEL}").get(0)
    assert isinstance(caught.value, zipfile.BadZipFile)


@pytest.mark.parametrize(
    ("size", "found"), [(1, "more"), (5000, r"only 2,277"), ((1 << 32) - 2, "only 2,277")]
)
def test_a_declared_size_that_is_a_lie_names_the_member(path, size, found):
    member_field(path, "a/sub/3.txt", 24, struct.pack("<L", size))
    with pytest.raises(
        CorruptArchiveError, match=rf"'a/sub/3.txt' is damaged: it should have {size:,} bytes .*{found}"
    ):
        ZipFileReader(path, "a/sub/{LABEL}").get(0)


def test_a_bomb_is_not_unpacked_beyond_the_size_that_it_declares(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/bomb", bytes(1 << 24))
    member_field(path, "a/bomb", 24, struct.pack("<L", 1000))
    reader = ZipFileReader(path)
    info = reader._archive.infolist()[0]
    packed = our_archive._packed(reader._archive._open(), info)
    assert len(our_archive._decompress(packed, 1001, info)) == 1001
    with pytest.raises(CorruptArchiveError, match="should have 1,000 bytes but has more"):
        reader.get(0)


def test_a_packed_size_beyond_the_archive_names_the_member(path):
    member_field(path, "a/sub/3.txt", 20, struct.pack("<L", (1 << 32) - 2))
    with pytest.raises(
        CorruptArchiveError, match=r"'a/sub/3.txt' is damaged: bytes .* are outside of the file"
    ):
        ZipFileReader(path, "a/sub/{LABEL}").get(0)


def test_an_encrypted_member_is_named(path):
    member_field(path, "a/1.txt", 8, struct.pack("<H", 1))
    reader = ZipFileReader(path)
    with pytest.raises(EncryptedMemberError, match=r"x\.zip: 'a/1.txt' is encrypted. Extract") as caught:
        reader.get(0)
    assert isinstance(caught.value, RuntimeError)
    assert reader.get(1)["data"] == content("a/.hidden")


@pytest.mark.parametrize("method", [9, 99])
def test_an_unknown_compression_is_named(path, method):
    member_field(path, "a/1.txt", 10, struct.pack("<H", method))
    with pytest.raises(
        UnsupportedCompressionError, match=rf"'a/1.txt' uses compression method {method}"
    ) as caught:
        ZipFileReader(path).get(0)
    assert isinstance(caught.value, NotImplementedError)


def test_names_that_are_not_utf8_are_read_as_those_of_datadings(tmp_path):
    path = write(tmp_path / "x.zip", names=["a/\xe9.txt", "a/plain"])
    data = path.read_bytes().replace("\xe9".encode(), b"\xff\xfe")
    for start in (struct.pack("<4sH", b"PK\3\4", 20), struct.pack("<4sHH", b"PK\1\2", 0x314, 20)):
        data = data.replace(start + b"\0\x08", start + b"\0\0")  # the flag of UTF-8
    path.write_bytes(data)
    readers = both(path)
    assert readers[0].find_key(0) == "a/\xa0\u25a0.txt"
    assert_same_reader(*readers)
    close(readers[1])


# -- other errors


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"nowhere\.zip not found") as caught:
        ZipFileReader(tmp_path / "nowhere.zip")
    assert isinstance(caught.value, FileNotFoundError)


def test_an_archive_that_goes_away_is_read_until_it_is_closed(path):
    reader = ZipFileReader(path)
    path.unlink()
    assert_reads(reader)
    reader.close()
    with pytest.raises(ReadError, match=r"No such file or directory: cannot read 'a/1.txt' of: '.*x\.zip'"):
        reader.get(0)


def test_a_listed_member_that_is_not_there_is_named(path, tmp_path):
    names = tmp_path / "list.txt"
    names.write_text("a/1.txt\tx\nnot there\tx\n")
    with pytest.raises(MemberNotFoundError, match=r"x\.zip has no member 'not there'") as caught:
        ZipFileReader(path, names).get(1)
    assert isinstance(caught.value, KeyError)


def test_members_of_the_same_name_are_named(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a/1", "x")
        archive.writestr("a/1", "y")
    with pytest.raises(DuplicateKeyError, match="duplicate key 'a/1': samples 0 and 1"):
        ZipFileReader(path)


def test_a_pattern_without_label_says_what_to_do(path):
    with pytest.raises(MissingLabelError, match=r"`labels`.*\{LABEL\}"):
        ZipFileReader(path, "a/*")


def test_a_pattern_without_members_gives_a_warning_that_names_it(path):
    with pytest.warns(UserWarning, match="no file matches 'nothing'") as caught:
        assert len(ZipFileReader(path, "nothing")) == 0
    assert caught[0].filename == __file__


def test_the_checksum_of_an_empty_member_is_checked(tmp_path):
    path = write(tmp_path / "x.zip", names=["a/empty"])
    assert zlib.crc32(b"") == 0
    member_field(path, "a/empty", 16, b"\1")
    with pytest.raises(CorruptArchiveError, match="CRC-32"):
        ZipFileReader(path).get(0)
