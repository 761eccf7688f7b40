"""Names of shards with ranges of numbers, folders in place of shards, and patterns in lists."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import pytest
from datasets import beside, some_samples, write
from hypothesis import given
from hypothesis import strategies as st
from rangeserver import serving

from ddfast import AsyncReader, MsgpackReader
from ddfast._util.ranges import MOST_NAMES, expand_ranges, has_range
from ddfast.commands import __main__ as program
from ddfast.errors import DatasetNotFoundError, UnsupportedIOError
from ddfast.reader import ShardedReader
from ddfast.storage import expand

SUFFIXES = ("", ".offsets", ".keys")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for i in range(12):
        write(tmp_path / f"x-{i:02}.msgpack", some_samples(3))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def length(source):
    async def opened():
        async with AsyncReader(source) as reader:
            return len(reader)

    with ShardedReader(source) as reader:
        assert asyncio.run(opened()) == len(reader)
        return len(reader)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", ["x"]),
        ("x-{0..2}", ["x-0", "x-1", "x-2"]),
        ("{08..10}.y", ["08.y", "09.y", "10.y"]),
        ("{8..010}", ["008", "009", "010"]),
        ("{2..0}", ["2", "1", "0"]),
        ("{0..1}-{5..6}", ["0-5", "0-6", "1-5", "1-6"]),
        ("{7..7}", ["7"]),
        ("{a..c}{1,2}{..}{1..}", ["{a..c}{1,2}{..}{1..}"]),
    ],
)
def test_ranges_are_expanded(name, expected):
    assert expand_ranges(name) == expected
    assert has_range(name) == (expected != [name])


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=2))
def test_ranges_are_expanded_as_in_bash(ranges):
    name = "x" + "-".join(f"{{{a:0{width}}..{b:0{width}}}}" for a, b, width in ranges)
    done = subprocess.run(["bash", "-c", f"echo {name}"], capture_output=True, text=True, check=True)
    assert expand_ranges(name) == done.stdout.split()


@pytest.mark.parametrize("name", ["{0..100000}", "{0..999}-{0..999}", "{0..999999999999999999}" * 50])
def test_too_many_names_are_refused_at_once(name):
    for call in (expand_ranges, ShardedReader, expand, length):
        with pytest.raises(
            ValueError, match=r"\} stands for [0-9,]+ files, more than 100,000. Use smaller ranges"
        ):
            call(f"https://h/{name}" if call is expand else name)
    assert len(expand_ranges("{1..100000}")) == MOST_NAMES


def test_shards_are_named_by_ranges(folder):
    assert length("x-{00..11}.msgpack") == 36
    assert length(f"file://{folder}/x-{{03..04}}.msgpack") == 6
    assert length("x-{0..1}*.msgpack") == 36
    with ShardedReader("x-{11..09}.msgpack") as reader:
        assert [path.rpartition("-")[2] for path in reader._inner.paths()] == [
            "11.msgpack",
            "10.msgpack",
            "09.msgpack",
        ]


def test_a_shard_that_is_missing_is_named(folder):
    for source, missing in (
        ("x-{10..13}.msgpack", "x-12.msgpack not found"),
        ("x-{0..2}*", r"no file matches .*x-2\*"),
    ):
        with pytest.raises(DatasetNotFoundError, match=missing):
            ShardedReader(source)


def test_a_file_with_braces_in_its_name_is_that_file(folder):
    write(folder / "y-{0..9}.msgpack", some_samples(5))
    assert length("y-{0..9}.msgpack") == 5
    assert len(MsgpackReader("y-{0..9}.msgpack")) == 5


def test_shards_on_a_web_server_are_named_by_ranges(folder, capsys):
    pytest.importorskip("obstore")
    files = {f"/{p.name}{s}": beside(p, s).read_bytes() for p in folder.glob("*.msgpack") for s in SUFFIXES}
    with serving(files) as site:
        assert length(f"{site.url}/x-{{00..11}}.msgpack?sig={{0..5}}") == 36
        for _, path, _ in site.requests:
            assert path.endswith(("?sig={0..5}", "?sig=%7B0..5%7D"))
        with pytest.raises(DatasetNotFoundError, match=r"x-1[23]\.msgpack not found"):
            ShardedReader(f"{site.url}/x-{{10..13}}.msgpack")
        with pytest.raises(UnsupportedIOError, match=r"or a range such as \{000\.\.127\}"):
            ShardedReader(f"{site.url}/x-*.msgpack")
        assert program.main(["info", f"{site.url}/x-{{00..01}}.msgpack"]) == 0
        assert "together: 2 files, 6 samples" in capsys.readouterr().out


def test_commands_take_ranges(folder, capsys):
    assert program.main(["info", "x-{00..02}.msgpack"]) == 0
    assert "together: 3 files, 9 samples" in capsys.readouterr().out
    assert program.main(["verify", "x-{11..12}.msgpack"]) == 1
    assert "x-12.msgpack not found" in capsys.readouterr().err


@pytest.mark.parametrize("read", [MsgpackReader, ShardedReader, lambda path: ShardedReader([path]), length])
def test_folders_are_refused(folder, read):
    (folder / "sub").mkdir()
    (folder / "sub.offsets").write_bytes(bytes(8))
    for name in ("sub", f"{folder}/sub", "sub/"):
        with pytest.raises(
            DatasetNotFoundError, match=r"sub/? is a folder, not a data file. Read its.*sub/\*\.msgpack'"
        ):
            read(name)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/d/", "memory://a/d/", "memory://a"])
def test_urls_of_folders_are_refused(url):
    pytest.importorskip("obstore")
    for read in (MsgpackReader, ShardedReader, lambda url: ShardedReader([url])):
        with pytest.raises(
            FileNotFoundError, match=r"names a folder, not a data file. Append the name of the file"
        ):
            read(url)


@pytest.mark.parametrize("name", ["x-*.msgpack", "x-{00..11}.msgpack", "x-[0].msgpack"])
def test_patterns_in_lists_say_what_to_do(folder, name):
    advice = r"not found.*read all files of a pattern, given alone and not in a list; expand others with `glob\.glob`"
    for read in (
        lambda: ShardedReader([name]),
        lambda: MsgpackReader(name),
        lambda: length(["x-00.msgpack", name]),
    ):
        with pytest.raises(DatasetNotFoundError, match=advice):
            read()
    pytest.importorskip("obstore")
    with pytest.raises(DatasetNotFoundError, match=advice):
        ShardedReader([f"memory://empty/{name}"])
    with serving({}) as site, pytest.raises(DatasetNotFoundError) as caught:
        MsgpackReader(f"{site.url}/x?sig=1")
    assert "pattern" not in str(caught.value)
