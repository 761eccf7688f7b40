"""XML of files that are not trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddfast.errors import FormatError
from ddfast.formats.xml import child_text, escaped, line_of, parse_xml


def file(folder: Path, text: str) -> Path:
    path = folder / "a.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_elements_know_their_line_and_text(tmp_path: Path) -> None:
    root = parse_xml(file(tmp_path, "<a>\n <!-- x --><b> ü </b>\n <c/>\n</a>"))
    assert child_text(root, "b") == "ü"
    assert child_text(root, "c") == ""
    assert child_text(root, "d") is None
    assert line_of(root.find("c")) == "line 3"


def test_syntax_errors_name_file_and_line(tmp_path: Path) -> None:
    path = file(tmp_path, "<a>\n<b>\n</a>")
    with pytest.raises(FormatError, match=r"a\.xml, line 3: the file is not valid XML"):
        parse_xml(path)


@pytest.mark.parametrize(
    "declaration",
    ['<!ENTITY x "y">', '<!ENTITY x SYSTEM "file:///etc/passwd">', '<!ENTITY x SYSTEM "http://localhost/x">'],
)
def test_entities_are_refused(tmp_path: Path, declaration: str) -> None:
    path = file(tmp_path, f"<!DOCTYPE a [{declaration}]>\n<a>&x;</a>")
    with pytest.raises(FormatError, match="declares entities"):
        parse_xml(path)


def test_entities_in_entities_take_no_memory(tmp_path: Path) -> None:
    levels = "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10}">' for i in range(1, 12))
    path = file(tmp_path, f'<!DOCTYPE a [<!ENTITY x0 "xxxxxxxxxx">{levels}]>\n<a>&x11;</a>')
    with pytest.raises(FormatError):
        parse_xml(path)


@pytest.mark.parametrize("text", ["a < b > c & d", '"quoted"', "日本語", "a\rb\nc\td", "]]>"])
def test_escaped_texts_come_back(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(f'<a b="{escaped(text).replace(chr(10), " ")}">{escaped(text)}</a>'.encode())
    assert parse_xml(path).text == text


def test_characters_that_xml_cannot_hold_are_refused() -> None:
    with pytest.raises(FormatError, match=r"cannot hold the character '\\x01' of label"):
        escaped("a\x01", "label")
