"""Runs the code blocks of a Markdown page.

A page becomes one Python script: ``python`` blocks stay on their lines, ``sh`` and ``pycon`` blocks become calls of
`shell` and `console` below, everything else becomes empty lines. So blocks run in order, share one namespace and one
folder, and a traceback has the line numbers of the page.

The script does not run languages that are only shown, installation commands, and blocks below one of these comments::

    <!-- not run: WHY -->
    <!-- needs: NAME, NAME -->   run only if these packages are installed
"""

from __future__ import annotations

import dataclasses
import doctest
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ddfast

ROOT = Path(__file__).resolve().parent.parent
RUN = {"python", "pycon", "sh"}
SHOWN = {"", "text", "diff", "json"}
INSTALLS = re.compile(r"^(python3 -m venv|(\.venv/bin/)?pip install) ", re.MULTILINE)

FENCE = re.compile(
    r"(?:^<!-- (?P<note>not run|needs): *(?P<why>.*?) *-->\n+)?"
    r"^(?P<indent> *)```(?P<language>\S*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A code block.

    Parameters:
        language: the word after the opening fence.
        code: its lines, not indented.
        line: number of its first line in the page, from 1.
        note: "not run" or "needs", or None.
        why: the text of the note.
    """

    language: str
    code: str
    line: int
    note: str | None
    why: str | None

    @property
    def runs(self) -> bool:
        """Whether this block is run."""
        if self.language not in RUN or self.note == "not run":
            return False
        if self.note == "needs" and not all(map(installed, str(self.why).split(", "))):
            return False
        return not (self.language == "sh" and INSTALLS.search(self.code))


def installed(name: str) -> bool:
    """Whether a package or module of this name is installed."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package that contains it is missing too
        return False


def blocks(page: str) -> Iterator[Block]:
    """The code blocks of a page, in order."""
    for match in FENCE.finditer(page):
        line = page.count("\n", 0, match.start("code")) + 1
        yield Block(match["language"], textwrap.dedent(match["code"]), line, match["note"], match["why"])


def script(page: str) -> str:
    """The Python script that runs the blocks of a page. The import replaces line 1, a heading."""
    lines = ["from pages import console, shell", *[""] * page.count("\n")]
    for block in blocks(page):
        if not block.runs:
            continue
        code = block.code.splitlines()
        if block.language == "pycon":
            code = [f"console({block.code!r}, {block.line}, globals())"]
        elif block.language == "sh":
            code = [f"shell({block.code!r}, {block.line})"]
        lines[block.line - 1 : block.line - 1 + len(code)] = code
    return "\n".join(lines)


def shell(code: str, line: int) -> None:
    """Run shell code; end the script if a command fails."""
    status = subprocess.run(["bash", "-euo", "pipefail", "-c", code], check=False).returncode
    if status:
        sys.exit(f"line {line}: exit status {status} of\n{code}")


def console(code: str, line: int, namespace: dict[str, Any]) -> None:
    """Run a console session and compare its output; end the script if the output differs."""
    test = doctest.DocTestParser().get_doctest(code, namespace, "console", None, line - 1)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_NDIFF)
    if runner.run(test, clear_globs=False).failed:
        sys.exit(f"line {line}: the output differs")
    namespace.update(test.globs)


def run_page(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run all blocks of a page inside of a new folder, with the commands of the ddfast under test."""
    work, programs = folder / "work", folder / "bin"
    work.mkdir()
    programs.mkdir()
    write_programs(programs)
    path = folder / f"page_{page.stem}.py"  # not a name that a block imports
    path.write_text(script(page.read_text(encoding="utf-8")), encoding="utf-8")
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(ddfast.__file__).parent.parent), str(Path(__file__).parent)]),
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
    }
    command = [sys.executable, "-W", "error", str(path)]
    return subprocess.run(
        command, cwd=work, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def write_programs(folder: Path) -> None:
    """Make ``ddfast``, the other commands and ``python`` as an installation would."""
    programs = {"python": "", "python3": "", "ddfast": "-m ddfast"}
    for module in (Path(ddfast.__file__).parent / "commands").glob("[!_]*.py"):
        programs[f"ddfast-{module.stem.replace('_', '-')}"] = f"-m ddfast.commands.{module.stem}"
    for name, arguments in programs.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        path.chmod(0o755)
