"""Counts of instructions by valgrind's callgrind."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

COUNTED = "bench_counted"
"""Instructions are counted while this function and the functions that it calls run."""

MOST_SECONDS = 300
"""For one case, which takes a second where nothing else runs."""


class CountError(RuntimeError):
    """A program could not be counted; the message contains its name and its output."""


def own_instructions(profile: str, program: str) -> int:
    """Instructions of one object file in a profile that callgrind wrote without compression.

    Those of the C library are left out: they differ between versions, and some depend on the processor.

    Parameters:
        profile: the text of the file.
        program: path of the object, as it was passed to callgrind.
    """
    total, within, lines = 0, False, iter(profile.splitlines())
    for line in lines:
        if line.startswith("ob="):
            within = line == f"ob={program}"
        elif line.startswith("calls="):
            next(lines)  # what the callee took, which is listed at the callee, too
        elif within and line[:1].isdigit():
            total += int(line.split()[1])
    return total


def cases(program: Path) -> list[str]:
    """Names of the cases of a program."""
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()


def count(program: Path, case: str) -> int:
    """Number of instructions of one case of a program.

    Raises:
        CountError: the program failed, or did not end in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder, "profile")
        try:
            run = subprocess.run(
                [*callgrind(profile), program, case],
                capture_output=True,
                text=True,
                env={"LC_ALL": "C", "PATH": "/usr/local/bin:/usr/bin:/bin"},
                timeout=MOST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CountError(f"{program.name}.{case} did not end within {MOST_SECONDS} s") from None
        if run.returncode != 0:
            raise CountError(f"{program.name}.{case} ended with status {run.returncode}:\n{run.stderr}")
        counted = own_instructions(profile.read_text(), str(program))
    if counted == 0:
        raise CountError(f"{program.name}.{case}: callgrind has recorded no call of {COUNTED}")
    return counted


def callgrind(profile: Path) -> Iterable[str]:
    """The command that runs a program, up to the program."""
    return (
        "valgrind",
        "--tool=callgrind",
        f"--toggle-collect={COUNTED}",
        f"--callgrind-out-file={profile}",
        "--compress-pos=no",
        "--compress-strings=no",
    )
