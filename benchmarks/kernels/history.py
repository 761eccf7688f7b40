"""Other revisions of this repository, from git."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.kernels.baseline import PATH
from benchmarks.kernels.build import DRIVERS


class HistoryError(RuntimeError):
    """A revision is not available; the message says why, and what to do."""


def git(root: Path, *arguments: str) -> bytes:
    """The output of git.

    Raises:
        HistoryError: git failed, or is not installed.
    """
    try:
        run = subprocess.run(["git", "-C", root, *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise HistoryError("git is not installed") from None
    if run.returncode != 0:
        raise HistoryError(run.stderr.decode().strip())
    return run.stdout


def line(root: Path, *arguments: str) -> str:
    """The output of git as text, without the end of the line."""
    return git(root, *arguments).decode().strip()


def renewal(root: Path) -> str:
    """The last commit that renewed the baseline: the counts of the baseline are those of its sources.

    Raises:
        HistoryError: the commit is not available.
    """
    if line(root, "status", "--porcelain", "--", str(PATH)):
        raise HistoryError(f"{PATH} has changes that are not committed")
    commit = line(root, "log", "-1", "--format=%H", "--", str(PATH))
    if not commit:
        raise HistoryError(f"{PATH} is in no commit")
    shallow = Path(root, line(root, "rev-parse", "--git-path", "shallow"))
    if shallow.exists() and commit in shallow.read_text().split():
        raise HistoryError("the clone is too shallow (run git fetch --unshallow)")
    return commit


@contextmanager
def checkout(root: Path, revision: str) -> Iterator[Path]:
    """The kernels of a revision and the programs that count them, in a temporary folder.

    Raises:
        HistoryError: the revision does not exist.
    """
    try:
        commit = line(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except HistoryError as error:
        raise HistoryError(f"no revision {revision!r} to compare with: {error}") from None
    wanted = ["csrc"]
    if line(root, "ls-tree", "--name-only", commit, "--", DRIVERS.as_posix()):
        wanted.append(DRIVERS.as_posix())
    archive = git(root, "archive", commit, "--", *wanted)
    with tempfile.TemporaryDirectory(prefix="ddfast-revision-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)
