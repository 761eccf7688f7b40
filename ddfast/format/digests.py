"""The MD5 file of a dataset."""

from __future__ import annotations

import re
from pathlib import Path

from ddfast.errors import IndexFileError
from ddfast.format.files import SUFFIX_MD5, SUFFIXES, open_file, path_append

# A line as datadings writes it. The name may begin or end with spaces, or contain any character but a newline.
LINE = re.compile(r"([0-9a-fA-F]{32})  (.+)", re.DOTALL)

REMAKE = "Remove it and rebuild it with `ddfast index`."


def load_digests(path: Path) -> dict[str, str]:
    """The digests in the MD5 file of a data file, by suffix: the empty one is the data file.

    The names in the file do not have to be those of the dataset, which may have been renamed since, but all of them
    have to belong to one dataset.

    Parameters:
        path: the data file.

    Raises:
        IndexFileError: the MD5 file is damaged.
        FileNotFoundError: there is none.
        OSError: it cannot be read.
    """
    md5 = path_append(path, SUFFIX_MD5)
    with open_file(md5) as file:
        content = file.readall()
    return parse_digests(content, path.name, str(md5))


def parse_digests(content: bytes, name: str, where: str) -> dict[str, str]:
    """The same from the content of an MD5 file.

    Parameters:
        content: of the file.
        name: of the data file now.
        where: name of the MD5 file, for messages.
    """
    named = dict(_lines(content, name, where))
    base = name if name in named else _common_base(named)
    found = {}
    for each, digest in named.items():
        suffix = each.removeprefix(base)
        if not each.startswith(base) or suffix not in ("", *SUFFIXES):
            raise _damaged(where, f"it lists {each!r}, which is no file of this dataset")
        found[suffix] = digest
    return found


def _lines(content: bytes, name: str, where: str) -> list[tuple[str, str]]:
    """Name and digest in each line. A name can contain newlines, if it is that of the dataset."""
    try:
        text = content.decode("utf-8", "surrogateescape")
    except UnicodeDecodeError:
        raise _damaged(where, "it is not UTF-8") from None
    found = []
    for line in re.split(r"\n(?=[0-9a-fA-F]{32}  )", text.removesuffix("\n")) if text else []:
        match = LINE.fullmatch(line)
        if match is None:
            raise _damaged(where, f"{line[:80]!r} is not a digest and a name")
        found.append((match[2], match[1].lower()))
    return found


def _common_base(named: dict[str, str]) -> str:
    """The name of the data file when the MD5 file was written: the one that all other names begin with."""
    shortest = min(named, key=len, default="")
    for suffix in SUFFIXES:  # of which no data file has one
        if shortest.endswith(suffix):
            return shortest.removesuffix(suffix)
    return shortest


def _damaged(where: str, reason: str) -> IndexFileError:
    return IndexFileError(f"{where} is damaged: {reason}. {REMAKE}")
