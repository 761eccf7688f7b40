"""The helpers do what their namesakes in datadings do."""

import io
from pathlib import Path

import datadings.tools as reference
import datadings.writer
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ddfast.tools as tools


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_md5_of_a_file_is_that_of_datadings(tmp_path, size, capsys):
    path = tmp_path / "x"
    path.write_bytes(bytes(i % 251 for i in range(size)))
    assert tools.hash_md5hex(path) == tools.hash_md5hex(str(path), 1000) == reference.hash_md5hex(path)
    assert capsys.readouterr().err == ""
    tools.hash_md5hex(path, progress=True)
    assert "100%" in capsys.readouterr().err or size == 0


def test_md5_file_is_loaded_as_datadings_loads_it(tmp_path):
    with datadings.writer.FileWriter(tmp_path / "x y.msgpack", disable=True) as writer:
        writer.write({"key": "a"})
    path = tmp_path / "x y.msgpack.md5"
    assert tools.load_md5file(path) == reference.load_md5file(path)
    assert len(tools.load_md5file(str(path))) == 5


@given(st.text(), st.binary(max_size=8))
def test_hashes_of_strings_are_those_of_datadings(text, salt):
    assert tools.hash_string(text, salt) == reference.hash_string(text, salt)
    assert tools.hash_string_bytes(text, salt) == reference.hash_string_bytes(text, salt)


@pytest.mark.parametrize("suffix", [".b", "b", ".c", ""])
def test_paths_are_lengthened_as_in_datadings(suffix):
    path = Path("folder/a.b")
    assert tools.path_append(path, suffix) == reference.path_append(path, suffix)
    assert tools.path_append_suffix(path, suffix) == reference.path_append_suffix(path, suffix)


@pytest.mark.parametrize(
    ("typed", "default", "expected"),
    [
        (["y"], "yes", "yes"),
        ([""], "no", "no"),
        (["ABORT"], "yes", "abort"),
        (["", "x", "ab"], None, "abort"),
        (["yess", "ye"], "yes", "yes"),
    ],
)
def test_question_is_asked_and_answered_as_in_datadings(monkeypatch, capsys, typed, default, expected):
    dialogues = []
    for query in (tools.query_user, reference.query_user):
        answers = iter(typed)
        monkeypatch.setattr("builtins.input", lambda answers=answers: next(answers))
        assert query("Really?", default) == expected
        dialogues.append(capsys.readouterr().out)
    assert dialogues[0] == dialogues[1]


def test_default_must_be_an_answer():
    with pytest.raises(ValueError, match="'maybe' is not one of the answers yes, no, abort"):
        tools.query_user("Really?", "maybe")


def test_printing_over_a_line_looks_as_in_datadings(capsys):
    for print_over in (tools.print_over, reference.print_over):
        print_over("a", 1, end="!", flush=True, sep="-")
    ours = capsys.readouterr().out
    assert ours[: len(ours) // 2] == ours[len(ours) // 2 :] != ""


def test_printing_over_goes_to_the_file_given(capsys):
    stream = io.StringIO()
    tools.print_over("a", file=stream)
    assert stream.getvalue() == "\r a\033[K\n"
    assert capsys.readouterr().out == ""


def test_printer_is_set_up_as_in_datadings_and_advances_when_called():
    ours, theirs = (module.make_printer(total=10, file=io.StringIO()) for module in (tools, reference))
    with ours, theirs:
        for name in ("bar_format", "miniters", "mininterval", "smoothing", "total"):
            assert getattr(ours, name) == getattr(theirs, name)
        ours()
        ours(3)
        assert ours.n == 4
        assert type(ours).monitor_interval == 0
