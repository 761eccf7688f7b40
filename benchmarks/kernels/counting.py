"""Counts of all kernels of a tree."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.kernels.build import DRIVERS, BuildError, Built, build
from benchmarks.kernels.callgrind import CountError, cases, count

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Counts:
    """Instructions by ``kernel.case``, and why the others could not be counted, by kernel."""

    of: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def require_valgrind() -> None:
    """Raise CountError if there is no valgrind."""
    if shutil.which("valgrind") is None:
        raise CountError("valgrind is not installed (Debian and Ubuntu: apt install valgrind)")


def count_tree(tree: Path, kernels: Sequence[str] = ()) -> Counts:
    """Build the programs of a tree and count all of their cases.

    The programs are those of this checkout, so that all trees do the same work; a program that does not fit the
    kernels of an older tree is taken from there.

    Parameters:
        tree: a checkout of any revision.
        kernels: names of kernels; all if there are none.

    Raises:
        BuildError: the kernels do not compile, or in this checkout a program does not.
        CountError: a program fails.
    """
    with tempfile.TemporaryDirectory(prefix="ddfast-kernels-") as folder:
        built = build_fitting(tree, Path(folder))
        if tree == ROOT and built.failed:
            raise BuildError("\n".join(built.failed.values()))
        wanted = {k: p for k, p in built.programs.items() if not kernels or k in kernels}
        jobs = [(program, case) for program in wanted.values() for case in cases(program)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(lambda job: count(*job), jobs))
        names = [f"{program.name}.{case}" for program, case in jobs]
        return Counts(dict(sorted(zip(names, found, strict=True))), built.failed)


def build_fitting(tree: Path, folder: Path) -> Built:
    """Programs of this checkout where they fit a tree's kernels, else those of the tree."""
    (folder / "ours").mkdir()
    built = build(tree, ROOT / DRIVERS, folder / "ours")
    theirs = tree / DRIVERS
    if built.failed and tree != ROOT and theirs.is_dir():
        (folder / "theirs").mkdir()
        older = build(tree, theirs, folder / "theirs").programs
        for kernel in built.failed.keys() & older.keys():
            built.programs[kernel] = older[kernel]
            del built.failed[kernel]
    return built
