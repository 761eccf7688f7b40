"""From the name of a data file to where it is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ddfast.errors import StorageOptionError
from ddfast.storage import is_url
from ddfast.writer.local import LocalTarget
from ddfast.writer.target import Target

GO_ON = (
    "{url} is a URL, and {option}=True is for files: nobody can go on with an object in a store. "
    "Write the dataset to a disk, and copy its files"
)


def open_target(
    outfile: str | os.PathLike[str],
    resume: bool,
    append: bool,
    checksums: bool,
    storage_options: Mapping[str, Any],
    silent: bool | None,
) -> Target:
    """Where a dataset is made. Parameters and errors are those of `Writer`; `silent` is ``disable`` of the progress."""
    if is_url(outfile):
        from ddfast.storage.backends.local import path_of
        from ddfast.storage.urls import scheme_of, shown
        from ddfast.writer.far import FarTarget  # nobody waits for it who writes files

        url = os.fspath(outfile)
        if scheme_of(url) != "file":
            for option, wanted in (("resume", resume), ("append", append)):
                if wanted:
                    raise ValueError(GO_ON.format(url=shown(url), option=option))
            return FarTarget(url, checksums, storage_options)
        outfile = path_of(url)
    if storage_options:
        names = ", ".join(sorted(storage_options))
        raise StorageOptionError(f"{os.fspath(outfile)} is a file, which has no options such as {names}")
    return LocalTarget(outfile, resume, append, checksums, silent)
