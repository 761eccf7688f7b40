"""A page for each command, made from its docstring and its parser when the site is built.

The pages are written to ``commands/`` in the docs folder. This directive inserts the list of commands::

    ```{command-list}
    ```
"""

from __future__ import annotations

import importlib
import os
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ddfast.commands import _run
from ddfast.commands.__main__ import summaries

FOLDER = "commands"
HELP_COLUMNS = "90"
MARKUP = re.compile(r"([\\*_<>\[\]{}$#|])")


def prose(text: str) -> str:
    """A paragraph of a docstring as Markdown: code in backticks is kept, everything else is escaped."""
    parts = text.split("`")
    return "`".join(part if i % 2 else MARKUP.sub(r"\\\1", part) for i, part in enumerate(parts))


def fenced(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def block(text: str) -> str:
    """One paragraph of a docstring: an example as shell code, text with indented lines verbatim, or prose."""
    head, _, rest = text.partition("\n")
    if re.fullmatch(r"Examples?:", head):
        lines = [line.strip() for line in rest.splitlines()]
        return f"{head}\n\n{fenced('sh', chr(10).join(lines))}"
    return fenced("text", text) if re.search(r"^\s", text, re.MULTILINE) else prose(text)


def page(name: str, doc: str, parser: ArgumentParser) -> str:
    """The Markdown of a command's page."""
    parser.description = None  # the docstring, which is printed first
    options = parser.format_help().rstrip()
    blocks = [block(text) for text in re.split(r"\n\s*\n", doc.strip())]
    script = f"The same as `ddfast-{name}` and `python -m ddfast.commands.{name.replace('-', '_')}`."
    return "\n\n".join([f"# ddfast {name}", *blocks, "## Options", fenced("text", options), script]) + "\n"


def write_pages(app: Sphinx) -> None:
    """Write the pages of all commands, and remove the pages of removed commands."""
    os.environ.update(COLUMNS=HELP_COLUMNS, NO_COLOR="1")
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    names = list(summaries())
    for old in {path.name for path in folder.glob("*.md")} - {f"{name}.md" for name in names}:
        (folder / old).unlink()
    for name in names:
        command = importlib.import_module(f"ddfast.commands.{name.replace('-', '_')}")
        text = page(name, command.__doc__ or "", _run.make_parser(command, f"ddfast {name}"))
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


class CommandList(SphinxDirective):
    """All commands with their summaries."""

    def run(self) -> list[nodes.Node]:
        """The list, and the entries of the pages in the table of contents."""
        found = summaries()
        lines = ["| command | what it does |", "|---|---|"]
        lines += [f"| [`{name}`]({FOLDER}/{name}.md) | {prose(summary)} |" for name, summary in found.items()]
        lines += ["", "```{toctree}", ":hidden:", "", *(f"{FOLDER}/{name}" for name in found), "```"]
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, __file__), self.content_offset, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.add_directive("command-list", CommandList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
