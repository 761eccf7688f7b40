"""The source files of a dataset, described by dicts.

``{"train": {"path": "train.zip", "url": "https://...", "md5": "56ad..."}}`` describes each file by a name, a path
relative to a folder, an optional URL for downloading, and its MD5 digest.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from ddfast.errors import ChecksumError, DownloadError
from ddfast.tools.download import download_if_not_found
from ddfast.tools.hashing import hash_md5hex

Meta = Mapping[str, Any]
Files = Mapping[str, Meta]
AnyPath = str | os.PathLike[str]


def download_files_if_not_found(files: Files, indir: AnyPath, verify: bool = True) -> None:
    """Download the files that are missing and have a URL; see ``download_if_not_found``.

    Parameters:
        files: descriptions of the files.
        indir: folder that their paths are relative to.
        verify: verify the MD5, if it is known, before a file gets its name.

    Raises:
        DownloadError: a file cannot be downloaded, or would be written outside of ``indir``.
        ChecksumError: a file has another MD5.
    """
    for meta in files.values():
        if meta.get("url") and _is_missing(meta, indir):
            path = _path(meta, indir)
            folder = os.path.abspath(indir)  # noqa: PTH100  # symbolic links of the user may lead elsewhere
            if os.path.commonpath([folder, os.path.abspath(path)]) != folder:  # noqa: PTH100
                raise DownloadError(f"{meta['url']} would be written to {path}, which is outside of {folder}")
            download_if_not_found(meta["url"], path, meta.get("md5") if verify else None)


def verify_file(meta: Meta, indir: AnyPath) -> None:
    """Compare the MD5 of a file with the one in its description.

    Raises:
        ChecksumError: they differ.
    """
    path = _path(meta, indir)
    print("Verifying", os.path.basename(path))  # noqa: PTH119
    got = hash_md5hex(path, progress=True)
    if got != meta["md5"].lower():
        raise ChecksumError(path, meta["md5"], got, "Remove it to download it again, or replace it.")


def verify_files(files: Files, indir: AnyPath) -> None:
    """Compare the MD5 of each file with the one in its description.

    Raises:
        ChecksumError: they differ.
    """
    for meta in files.values():
        verify_file(meta, indir)


def locate_files(files: Files, indir: AnyPath) -> dict[str, dict[str, Any]]:
    """Copies of the descriptions, with paths that include ``indir``."""
    return {name: {**meta, "path": _path(meta, indir)} for name, meta in files.items()}


def prepare_indir(files: Files, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Download missing files, verify all files, and return descriptions with their paths.

    Parameters:
        files: descriptions of the files.
        args: ``indir`` is the folder; ``skip_verification`` disables the MD5 check.

    Raises:
        DownloadError: a file cannot be downloaded.
        ChecksumError: a file has another MD5.
    """
    verify = not args.skip_verification
    # Downloads are verified before they get their names.
    found = {
        name: meta
        for name, meta in files.items()
        if not (meta.get("url") and meta.get("md5") and _is_missing(meta, args.indir))
    }
    download_files_if_not_found(files, args.indir, verify)
    if verify:
        verify_files(found, args.indir)
    return locate_files(files, args.indir)


def _path(meta: Meta, indir: AnyPath) -> str:
    return os.path.join(indir, meta["path"])  # noqa: PTH118  # a string, as in datadings


def _is_missing(meta: Meta, indir: AnyPath) -> bool:
    return not os.path.exists(_path(meta, indir))  # noqa: PTH110
