"""Paths that do not depend on the working folder of the process."""

from __future__ import annotations

import os

__all__ = ["absolute", "working_folder"]


def working_folder() -> str:
    """The working folder; empty if it was removed, so that relative paths stay as they are."""
    try:
        return os.getcwd()  # noqa: PTH109  # pathlib is slow to import
    except FileNotFoundError:
        return ""


def absolute(path: str | os.PathLike[str]) -> str:
    """The path from the root, which names the same file after `os.chdir`.

    Unlike ``os.path.abspath`` it keeps ``..``, which leads elsewhere after a symbolic link.
    """
    name = os.fspath(path)
    if os.path.isabs(name):  # noqa: PTH117
        return name
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return os.path.join(working_folder(), name)  # noqa: PTH118
