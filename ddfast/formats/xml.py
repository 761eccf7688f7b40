"""XML files of formats: read without entities and network, and text that XML can hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ddfast.errors import FormatError, MissingPackageError

__all__ = ["SAFE_PARSER", "child_text", "escaped", "line_of", "parse_xml", "xml_error"]

SAFE_PARSER: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "remove_comments": True,
    "remove_pis": True,
}
"""Arguments of `lxml.etree.XMLParser` and `lxml.etree.iterparse` for files that are not trusted."""

SPECIAL = re.compile('[&<>"\r]')
REPLACED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
# Characters that no XML file can contain, not even as a reference.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def lxml_etree() -> Any:
    """The module `lxml.etree`.

    Raises:
        MissingPackageError: lxml is not installed.
    """
    try:
        from lxml import etree
    except ImportError as error:
        raise MissingPackageError("Reading XML needs lxml: pip install 'ddfast[annotated]'") from error
    return etree


def parse_xml(path: Path, content: bytes | None = None) -> Any:
    """The root element of a file.

    Parameters:
        path: of the file.
        content: of the file, if it was read before.

    Raises:
        FormatError: it is not XML, or it declares entities; the message names file and line.
        MissingPackageError: lxml is not installed.
    """
    etree = lxml_etree()
    try:
        root = etree.fromstring(
            path.read_bytes() if content is None else content, etree.XMLParser(**SAFE_PARSER)
        )
    except etree.XMLSyntaxError as error:
        raise xml_error(error, path) from error
    refuse_entities(root, path)
    return root


def refuse_entities(element: Any, path: object) -> None:
    """Refuse a file that declares entities.

    Parameters:
        element: any of the file; of one that is read element by element, the first.
        path: of the file, for the message.

    Raises:
        FormatError: it declares entities.
    """
    declared = element.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise FormatError(f"{path} declares entities, which are not supported. Remove its DOCTYPE")


def xml_error(error: Any, path: object) -> FormatError:
    """The error to raise for an `lxml.etree.XMLSyntaxError`: it names the file and the line."""
    place = f", line {error.lineno}" if error.lineno else ""
    return FormatError(f"{path}{place}: the file is not valid XML: {error.msg}")


def line_of(element: Any) -> str:
    """Where an element is in its file: ``"line 17"``."""
    return f"line {element.sourceline}"


def child_text(element: Any, name: str) -> str | None:
    """The text of the first child of a name, without spaces around it; None if there is no such child."""
    child = element.find(name)
    return None if child is None else (child.text or "").strip()


def escaped(text: str, what: str = "a text") -> str:
    """A text as it stands in an element, or in an attribute in double quotes.

    Parameters:
        text: any.
        what: the text is, for the message.

    Raises:
        FormatError: it has a character that XML cannot hold.
    """
    found = FORBIDDEN.search(text)
    if found:
        raise FormatError(f"XML cannot hold the character {found[0]!r} of {what} {text!r}. Remove it")
    return SPECIAL.sub(lambda match: REPLACED[match[0]], text) if SPECIAL.search(text) else text
