"""What ``ddfast cp`` and ``ddfast mv`` have in common: where datasets go, and what is overwritten."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ddfast.commands import _run
from ddfast.commands._files import confirm_overwrite, datasets, without_index_files
from ddfast.storage import is_url
from ddfast.storage.urls import shown

Work = Callable[[Path, Path, bool, bool | None], Sequence[Path]]


def local_datasets(names: Iterable[str]) -> list[Path]:
    """The data files that names and patterns stand for.

    Raises:
        ValueError: a name is a URL.
        OSError: as those of `datasets`.
    """
    names = list(names)
    for name in names:
        refuse_url(name)
    return datasets(names)


def refuse_url(name: str) -> None:
    """Raise ValueError if a name is a URL."""
    if is_url(name):
        raise ValueError(
            f"{shown(name)} is a URL, but the command takes local files. Use the tools of your store for all files "
            "whose name begins with that of the data file"
        )


def target_of(source: Path, target: str, single: bool) -> Path:
    """The data file that a dataset becomes.

    Parameters:
        source: the data file.
        target: a folder, or the new name.
        single: whether there is only one dataset.

    Raises:
        NotADirectoryError: the target is no folder, but has to be one.
    """
    refuse_url(target)
    path = Path(target)
    if path.is_dir():
        return path / source.name
    if not single:
        raise NotADirectoryError(f"{target} is not a folder, but there are several datasets. Create it first")
    if target.endswith("/"):
        raise NotADirectoryError(f"{target} is not a folder. Create it first")
    return path


def relocate(args: argparse.Namespace, work: Work) -> int:
    """Copy or move datasets. Returns the exit code."""
    several = _run.Several(args.prog)
    names = without_index_files(args.files)
    sources = several.expand(names, local_datasets)
    single = len(names) == 1 and len(sources) <= 1
    taken: dict[Path, Path] = {}

    def one(source: Path) -> str:
        target = target_of(source, args.target, single)
        other = taken.setdefault(target, source)
        if other != source:
            raise ValueError(
                f"{source} and {other} have the same name in {args.target}. Give one of them another name"
            )
        if target.exists() and target.samefile(source):
            raise ValueError(f"{source} and {target} are the same file. Give another target")
        overwrite = args.no_confirm
        if target.exists() and not overwrite:
            confirm_overwrite(f"{target} exists, overwrite it?")
            overwrite = True
        files = work(source, target, overwrite, None)
        return f"{source} -> {target} ({len(files)} files)"

    for line in several.each(one, sources):
        _run.say(line)
    return several.status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="datasets: .msgpack files or glob patterns")
    add("target", metavar="TARGET", help="new name of the data file, or a folder")
    add("-y", "--no-confirm", action="store_true", help="overwrite existing datasets without asking")
