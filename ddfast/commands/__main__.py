"""Read and write datadings datasets at the speed of the hardware."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

from ddfast import __version__
from ddfast.commands import _run
from ddfast.storage.urls import shown


def summaries() -> dict[str, str]:
    """Each command with the first line of its docstring, which is read without importing the module."""
    result = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if not path.stem.startswith("_"):
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            result[path.stem.replace("_", "-")] = text.partition("\n")[0]
    return result


def usage() -> str:
    """The list of commands that ``ddfast`` without arguments prints."""
    commands = summaries()
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in commands.items()]
    head = f"usage: ddfast COMMAND ...\n\n{__doc__}\n\ncommands:\n"
    foot = "\n\n`ddfast COMMAND --help` describes a command, `ddfast --version` prints the version."
    return head + "\n".join(lines) + foot


def main(argv: list[str]) -> int:
    """Run the command that ``argv`` names; without arguments, list the commands."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"ddfast {__version__}")
        return 0
    name, *rest = argv
    if name not in summaries():
        print(f"ddfast: unknown command {shown(name)!r}\n\n{usage()}", file=sys.stderr)
        return 2
    command = importlib.import_module(f"ddfast.commands.{name.replace('-', '_')}")
    return _run.run(command, f"ddfast {name}", rest)


def entry() -> None:
    """The console script ``ddfast``."""
    sys.exit(_run.guarded("ddfast", lambda: main(sys.argv[1:])))


if __name__ == "__main__":
    entry()
