"""The files that match a pattern: those of `glob.iglob(pattern, recursive=True)`, with the names of each folder sorted.

Unlike `glob`, this calls `stat` only for files whose kind is not in the folder's listing, which are few.
"""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from ddfast.errors import ReadError

LABEL = "{LABEL}"
ANY_DEPTH = "**"
SPECIAL = re.compile("[*?[]")
NUMBER = re.compile("0*([0-9]+)")

# Error numbers that mean that a file does not exist. Ignoring others would leave out existing files.
MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}

Found = Iterator[tuple[str, str | None]]


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """The function that checks whether a name matches an fnmatch pattern."""
    return re.compile(translate(pattern)).match


def is_file(path: str) -> bool:
    """Whether there is a file; False if that cannot be determined, unlike `Path.is_file`."""
    return os.path.isfile(path)  # noqa: PTH113


@dataclass(frozen=True, slots=True)
class PatternStep:
    """One component of a pattern.

    Parameters:
        text: the component; ``*`` instead of ``{LABEL}``.
        is_label: whether the name that it matches is the label.
    """

    text: str
    is_label: bool


def files(pattern: str) -> Found:
    """Paths of files that match a pattern, each with its label.

    Parameters:
        pattern: a pattern with the wildcards of `glob`, ``**`` for any number of folders. The first component that is
            ``{LABEL}`` matches like ``*``.

    Returns:
        Pairs of the path and the name that ``{LABEL}`` matched, None without it. The names in each folder are in
        natural order, the files of a subfolder in its place. Symlinks are followed, except for those to a folder that
        contains them.

    Raises:
        ReadError: a folder cannot be listed, although it exists and access is permitted.
    """
    base, steps = _parse(pattern)
    if not steps:
        return iter([(base, None)] if is_file(base) else [])
    found: Found = iter([(base, None)])
    for step in steps[:-1]:
        found = _enter(found, step, folders=True)
    return _enter(found, steps[-1], folders=False)


def _parse(pattern: str) -> tuple[str, list[PatternStep]]:
    """The literal path at the beginning of a pattern, and the components from the first wildcard on."""
    first = next(
        (
            part.start()
            for part in re.finditer("[^/]+", pattern)
            if part[0] == LABEL or SPECIAL.search(part[0])
        ),
        len(pattern),
    )
    base, rest = pattern[:first], pattern[first:]
    if not rest:
        return base, []
    texts = re.split("/+", rest)
    label = texts.index(LABEL) if LABEL in texts else None
    steps = [PatternStep("*" if i == label else text, i == label) for i, text in enumerate(texts)]
    return base.rstrip("/") or base, steps


def _enter(found: Found, step: PatternStep, folders: bool) -> Found:
    """The folders or files that the next component matches in each of the folders found so far."""
    for folder, label in found:
        if step.text == ANY_DEPTH:
            if folders:
                yield os.path.join(folder, ""), label  # noqa: PTH118  # keeps the path unchanged
            for path in _descend(folder, folders):
                yield path, label
        elif SPECIAL.search(step.text):
            for path, name in _matches(folder, step.text, folders):
                yield path, name if step.is_label else label
        else:
            path = _prefix(folder) + step.text
            if os.path.lexists(path) if folders else is_file(path):
                yield path, label


def _matches(folder: str, pattern: str, folders: bool) -> Iterator[tuple[str, str]]:
    """Folders or files in a folder whose names match: (path, name)."""
    prefix = _prefix(folder)
    match = matcher(pattern)
    with_hidden = pattern.startswith(".")
    for entry in _entries(folder):
        name = entry.name
        if (with_hidden or name[0] != ".") and match(name) and _is(entry, folders):
            yield prefix + name, name


def _descend(top: str, folders: bool) -> Iterator[str]:
    """Paths of all folders or all files below a folder, except for hidden ones."""
    stack = [(_prefix(top), iter(_entries(top)))]
    while stack:
        prefix, entries = stack[-1]
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            path = prefix + name
            if _is(entry, folder=True):
                if entry.is_symlink() and _leads_back(path, [above for above, _ in stack]):
                    continue
                if folders:
                    yield path
                stack.append((path + "/", iter(_entries(path))))
                break
            if not folders and _is(entry, folder=False):
                yield path
        else:
            stack.pop()


def _prefix(folder: str) -> str:
    """The prefix of the paths of files in a folder."""
    return folder if not folder or folder.endswith("/") else folder + "/"


def natural_order(name: str) -> str:
    """The text by which names sort naturally, ``a2`` before ``a10``. Different names have different texts."""
    return f"{NUMBER.sub(_with_length, name)}\0{name}"  # a1 and a01 differ behind the zero only


def _with_length(number: re.Match[str]) -> str:
    """A number with its length in front, so that shorter numbers sort before longer ones."""
    return f"0{chr(len(number[1]))}{number[1]}"


def _entries(folder: str) -> Sequence[os.DirEntry[str]]:
    """What a folder contains, in natural order: file systems list equal folders in different orders."""
    try:
        with os.scandir(folder or os.curdir) as entries:
            return sorted(entries, key=lambda entry: natural_order(entry.name))
    except PermissionError as error:
        warnings.warn(f"{folder}: {error.strerror}; its files are left out", stacklevel=2)
    except OSError as error:
        if error.errno not in MISSING:
            raise ReadError(error.errno, f"{error.strerror}: cannot list the folder", folder) from error
    return []


def _is(entry: os.DirEntry[str], folder: bool) -> bool:
    try:
        return entry.is_dir() if folder else entry.is_file()
    except PermissionError:
        return False
    except OSError as error:
        if error.errno not in MISSING:
            raise ReadError(
                error.errno, f"{error.strerror}: cannot determine the file type", entry.path
            ) from error
        return False  # a broken symlink


def _leads_back(path: str, above: list[str]) -> bool:
    """Whether the target of a symlink is one of the folders that contain it."""
    try:
        target = os.stat(path)  # noqa: PTH116
        loops = any(os.path.samestat(target, os.stat(folder or os.curdir)) for folder in above)  # noqa: PTH116
    except OSError:
        return False  # removed in the meantime
    if loops:
        warnings.warn(f"{path} is a symlink to a folder that contains it, and is not followed", stacklevel=2)
    return loops
