"""Datasets that are copied, moved or removed with all of their files."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ddfast._util.paths import absolute
from ddfast.errors import DatasetNotFoundError, IndexFileError, UnfinishedDatasetError
from ddfast.format.digests import parse_digests
from ddfast.format.files import SUFFIX_MD5, SUFFIXES, draft_path, hidden_path, path_append
from ddfast.format.publication import finish_for_reader, model_of, open_journal, publication_of, sync
from ddfast.tools import ProgressPrinter, make_printer
from ddfast.writer.index_files import IndexFile, publish, release, remove_files, uninterrupted
from ddfast.writer.names import check_path
from ddfast.writer.source_files import SourceFile, SourceFiles

StrPath = str | os.PathLike[str]


def copy_dataset(
    source: StrPath, target: StrPath, overwrite: bool = False, disable: bool | None = True
) -> list[Path]:
    """Copy all files of a dataset; the names in its MD5 file become the new ones.

    The copy appears when it is complete. A reader finds the old dataset, the new one, or for a moment none.

    Parameters:
        source: the data file; links are followed.
        target: data file of the copy.
        overwrite: replace an existing dataset.
        disable: show no progress; None to show it on a terminal only.

    Returns:
        The files of the copy.

    Raises:
        DatasetNotFoundError: the dataset, or its index, does not exist.
        DatasetChangedError: the dataset was replaced meanwhile.
        DatasetBusyError: a writer is writing the target.
        UnfinishedDatasetError: a writer that was stopped has left a draft of the target.
        FileExistsError: the target exists.
        ValueError: both are the same dataset, or the target is a symbolic link.
        OSError: a file cannot be read or written.
    """
    return _transfer(Path(absolute(source)), check_path(target), overwrite, False, disable)


def move_dataset(
    source: StrPath, target: StrPath, overwrite: bool = False, disable: bool | None = True
) -> list[Path]:
    """Rename all files of a dataset; the names in its MD5 file become the new ones.

    Parameters and errors are those of `copy_dataset`, except that links are not followed but refused, and that no
    writer may be writing either dataset. Files are copied to another file system. The dataset keeps its old name until
    it has the new one, so after a crash it can have both.

    Returns:
        The files under their new names.
    """
    source = Path(absolute(source))
    target = check_path(target)
    for file in dataset_files(source):
        if file.is_symlink():
            raise ValueError(
                f"{file} is a symbolic link. Copy what it points to with `ddfast cp`, or move the link itself"
            )
    with _locked(source):
        refuse_draft(source)
        files = _transfer(source, target, overwrite, True, disable)
        try:
            uninterrupted(lambda: _unlink(source))
        except OSError as error:
            reason = f"{error.strerror}. The dataset is complete as {target}: remove the old files with `ddfast rm`"
            raise OSError(error.errno, reason, str(source)) from error
    return files


def remove_dataset(path: StrPath, dry_run: bool = False) -> list[Path]:
    """Remove all files of a dataset; of links the links. The draft of a writer that was stopped is kept.

    Parameters:
        path: the data file, which may be missing.
        dry_run: remove nothing.

    Returns:
        The removed files.

    Raises:
        DatasetNotFoundError: there are none of its files.
        DatasetBusyError: a writer is writing the dataset.
        ValueError: the file has no index and another suffix than ``.msgpack``, so it may be no dataset.
        OSError: a file cannot be removed.
    """
    path = Path(absolute(path))
    files = dataset_files(path)
    if not files:
        raise DatasetNotFoundError(f"{path} not found")
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(f"{path} is a folder. Name the datasets in it")
    if files == [path] and path.suffix != ".msgpack":
        raise ValueError(f"{path} has no index files, so it may be no dataset. Remove it with `rm`")
    if not dry_run:
        with _locked(path):
            uninterrupted(lambda: _unlink(path))
    return files


def dataset_files(path: StrPath) -> list[Path]:
    """The existing files of a dataset, the data file first; also those that are links to nowhere."""
    return [file for suffix in ("", *SUFFIXES) if os.path.lexists(file := path_append(path, suffix))]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep writers from a dataset."""
    journal = open_journal(path)
    try:
        yield
    finally:
        release(path, journal)


def _unlink(path: Path) -> None:
    """Remove all files of a dataset, the data file first: index files without it are no dataset."""
    for file in dataset_files(path):
        file.unlink()
    sync(path.parent)


def _transfer(source: Path, target: Path, overwrite: bool, move: bool, disable: bool | None) -> list[Path]:
    """Publish a dataset under another name."""
    _refuse_same(source, target)
    with _opened(source) as files:
        journal = open_journal(target)
        suffixes = tuple(suffix for suffix in SUFFIXES if suffix in files)
        drafts = {suffix: path_append(hidden_path(target, ".draft"), suffix) for suffix in suffixes}
        drafts[""] = draft_path(
            target
        )  # the last one: a link to the data must not be found as a draft for long
        try:
            _refuse_loss(target, overwrite)
            journal.begin()
        except BaseException:
            release(target, journal)
            raise
        try:
            with make_printer(
                desc=f"copy {source.name}",
                total=files.size,
                unit="B",
                unit_scale=True,
                leave=False,
                disable=disable,
            ) as bar:
                for suffix, draft in drafts.items():
                    _place(files[suffix], draft, target, suffix, move, bar)
            files.refuse_changed()
            sync(target.parent)
        except BaseException:
            remove_files(drafts.values())
            release(target, journal)
            raise
        publish(target, publication_of(target, suffixes, data=True), journal)
    return [path_append(target, suffix) for suffix in ("", *suffixes)]


def _refuse_same(source: Path, target: Path) -> None:
    """Make sure that no file of a dataset is a file of the other one."""
    for suffix in ("", *SUFFIXES):
        one, other = path_append(source, suffix), path_append(target, suffix)
        if os.path.realpath(one) == os.path.realpath(other) or (
            one.exists() and other.exists() and one.samefile(other)
        ):
            raise ValueError(
                f"{one} and {other} are the same file. If the dataset has both names after an interrupted move, remove "
                "one of them with `ddfast rm`"
            )


def _refuse_loss(target: Path, overwrite: bool) -> None:
    """Make sure that nothing is lost when a dataset is replaced."""
    refuse_draft(target)
    if target.is_symlink():
        raise ValueError(f"{target} is a symbolic link. Remove it first, or give the path that it points to")
    existing = dataset_files(target)
    if existing and not overwrite:
        raise FileExistsError(errno.EEXIST, "it exists, pass overwrite=True to replace it", str(existing[0]))


def refuse_draft(path: Path) -> None:
    """Make sure that there is no draft of a writer that was stopped.

    Raises:
        UnfinishedDatasetError: there is one.
    """
    if os.path.lexists(draft_path(path)):
        raise UnfinishedDatasetError(
            f"{path}: a writer that was stopped has left a draft. Finish it with `ddfast recover {path}`, or remove it "
            f"with `ddfast recover --discard {path}`"
        )


def _opened(source: Path) -> SourceFiles:
    """The files of a dataset."""
    try:
        return SourceFiles(source)
    except DatasetNotFoundError:
        if not finish_for_reader(source):
            raise
        return SourceFiles(source)


def _place(
    file: SourceFile, draft: Path, target: Path, suffix: str, move: bool, bar: ProgressPrinter
) -> None:
    """Make a file of the new dataset under its temporary name."""
    model = file.status if move else model_of(target, suffix) or file.status
    if suffix == SUFFIX_MD5:
        content = renamed_digests(file.read(), file.dataset.name, target.name)
        IndexFile(draft, content, model).write()
        sync(draft)
    elif not (move and file.link(draft)):
        file.copy(draft, model, bar)


def renamed_digests(content: bytes, old: str, new: str) -> bytes:
    """The content of an MD5 file after its dataset was renamed; a damaged one is not changed."""
    try:
        digests = parse_digests(content, old, old)
    except IndexFileError:
        return content
    return "".join(f"{digest}  {new}{suffix}\n" for suffix, digest in digests.items()).encode(
        errors="surrogateescape"
    )
