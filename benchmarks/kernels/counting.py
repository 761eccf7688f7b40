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
    """Instructions by ``kernel.case``, and the reasons for missing counts, by kernel or ``kernel.case``."""

    of: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def require_valgrind() -> None:
    """Raise CountError if valgrind is not installed."""
    if shutil.which("valgrind") is None:
        raise CountError("valgrind is not installed (Debian and Ubuntu: apt install valgrind)")


def count_tree(tree: Path, kernels: Sequence[str] = ()) -> Counts:
    """Build the programs of a tree and count all of their cases.

    The programs are those of this checkout, so that all trees do the same work; a program that does not fit the
    kernels of an older tree is taken from that tree. If neither works, the kernel is left out; in this checkout, that
    is an error.

    Parameters:
        tree: a checkout of any revision.
        kernels: names of kernels; empty for all.

    Raises:
        BuildError: the kernels do not compile, or a program of this checkout does not.
        CountError: a program of this checkout fails.
    """
    with tempfile.TemporaryDirectory(prefix="ddfast-kernels-") as folder:
        built = build_fitting(tree, Path(folder))
        if tree == ROOT and built.failed:
            raise BuildError("\n".join(built.failed.values()))
        wanted = {k: p for k, p in built.programs.items() if not kernels or k in kernels}
        jobs = {f"{kernel}.{case}": (path, case) for kernel, path in wanted.items() for case in cases(path)}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = dict(zip(jobs, pool.map(lambda job: attempt(*job), jobs.values()), strict=True))
    failed = {name: error for name, error in results.items() if isinstance(error, CountError)}
    if tree == ROOT:
        for error in failed.values():
            raise error
    counted = {name: found for name, found in sorted(results.items()) if isinstance(found, int)}
    left_out = {kernel: why for kernel, why in built.failed.items() if not kernels or kernel in kernels}
    return Counts(counted, left_out | {name: str(error) for name, error in failed.items()})


def attempt(program: Path, case: str) -> int | CountError:
    """The result of `count`, or its exception."""
    try:
        return count(program, case)
    except CountError as error:
        return error


def build_fitting(tree: Path, folder: Path) -> Built:
    """Programs of this checkout if they fit the kernels of a tree, otherwise those of the tree."""
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
