"""The files that match a pattern: those of `glob.iglob(pattern, recursive=True)`, in the same order.

Unlike it, this asks the system for the kind of a file only where its folder does not tell, and so never for most.
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

# What says that there is nothing of this name. Any other failure would leave files out that are there.
NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}

Found = Iterator[tuple[str, str | None]]


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """Whether a name matches an fnmatch pattern, as a function of the name."""
    return re.compile(translate(pattern)).match


def is_file(path: str) -> bool:
    """Whether there is a file; False where that cannot be told, unlike `Path.is_file`."""
    return os.path.isfile(path)  # noqa: PTH113


@dataclass(frozen=True, slots=True)
class Step:
    """One component of a pattern.

    Parameters:
        text: the component; ``{LABEL}`` has become ``*``.
        is_label: what it matches is the label.
    """

    text: str
    is_label: bool


def files(pattern: str) -> Found:
    """Paths of files that match a pattern, each with its label.

    Parameters:
        pattern: wildcards as `glob` has them, ``**`` for any number of folders. The first component that is
            ``{LABEL}`` matches as ``*`` does.

    Returns:
        Pairs of path and what ``{LABEL}`` matched, None without one. Files come as their folders list them, those of
        a folder in the place of the folder. Symlinks are followed, but for those that lead back to a folder they are
        found in.

    Raises:
        ReadError: a folder cannot be listed, for another reason than that it is missing or forbidden.
    """
    base, steps = _parse(pattern)
    if not steps:
        return iter([(base, None)] if is_file(base) else [])
    found: Found = iter([(base, None)])
    for step in steps[:-1]:
        found = _enter(found, step, folders=True)
    return _enter(found, steps[-1], folders=False)


def _parse(pattern: str) -> tuple[str, list[Step]]:
    """The literal path that a pattern begins with, and the components from the first special one on."""
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
    steps = [Step("*" if i == label else text, i == label) for i, text in enumerate(texts)]
    return base.rstrip("/") or base, steps


def _enter(found: Found, step: Step, folders: bool) -> Found:
    """What one more component matches in each of the folders found so far: folders or files."""
    for folder, label in found:
        if step.text == ANY_DEPTH:
            if folders:
                yield os.path.join(folder, ""), label  # noqa: PTH118  # keeps the path as it was given
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
    """Paths of all folders or all files below a folder, but for hidden ones."""
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
    """What to put before the names in a folder."""
    return folder if not folder or folder.endswith("/") else folder + "/"


def _entries(folder: str) -> Sequence[os.DirEntry[str]]:
    try:
        with os.scandir(folder or os.curdir) as entries:
            return list(entries)
    except PermissionError as error:
        warnings.warn(f"{folder}: {error.strerror}; its files are left out", stacklevel=2)
    except OSError as error:
        if error.errno not in NOTHING:
            raise ReadError(error.errno, f"{error.strerror}: cannot list the folder", folder) from error
    return []


def _is(entry: os.DirEntry[str], folder: bool) -> bool:
    try:
        return entry.is_dir() if folder else entry.is_file()
    except PermissionError:
        return False
    except OSError as error:
        if error.errno not in NOTHING:
            raise ReadError(error.errno, f"{error.strerror}: cannot tell what this is", entry.path) from error
        return False  # a symlink to nowhere


def _leads_back(path: str, above: list[str]) -> bool:
    """Whether a symlink names one of the folders that it was found in."""
    try:
        target = os.stat(path)  # noqa: PTH116
        loops = any(os.path.samestat(target, os.stat(folder or os.curdir)) for folder in above)  # noqa: PTH116
    except OSError:
        return False  # gone meanwhile: there is nothing to list
    if loops:
        warnings.warn(f"{path} is a symlink to a folder that it lies in, and is not followed", stacklevel=2)
    return loops
