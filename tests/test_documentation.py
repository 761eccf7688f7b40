"""README and the pages in docs/ do what they say, and the site that is built of them is whole."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, RUN, SHOWN, blocks, run_page

import ddfast
import ddfast.errors
from ddfast.commands import _run

README = ROOT / "README.md"
GENERATED = ROOT / "docs" / "commands"
PAGES = [
    README,
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if not {"_build", "commands"} & {*path.parts}),
]
COMMANDS = sorted(path.stem for path in ROOT.glob("ddfast/commands/[!_]*.py"))
ERRORS = [
    name for name, value in vars(ddfast.errors).items() if name.endswith("Error") and isinstance(value, type)
]
NEEDED = ("sphinx", "furo", "myst_parser")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# -- blocks of code


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.runs for block in blocks(read(page)))], ids=name_of
)
def test_blocks_of_page_run_in_order(page, tmp_path):
    done = run_page(page, tmp_path)
    assert done.returncode == 0, f"{name_of(page)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_page_is_run_or_says_why_not(page):
    for block in blocks(read(page)):
        assert block.language.startswith("{") or block.language in RUN | SHOWN, f"line {block.line}"
        assert block.note is None or block.why, f"line {block.line}: why is it not run?"
    assert read(page).count("<!--") == sum(block.note is not None for block in blocks(read(page)))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_fence_of_page_opens_or_closes_a_block(page):
    assert len(re.findall(r"^ *```", read(page), re.MULTILINE)) == 2 * len(list(blocks(read(page))))


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        ("```python\nx = 1\nassert x == 2\n```", "line 5"),
        ("```sh\ntrue\nfalse\n```", "line 4: exit status 1"),
        ("```sh\nddfast no-such-command\n```", "line 4: exit status 2"),
        ("```python\nx = 1\n```\n\n```pycon\n>>> x\n2\n```", "line 8: the console shows something else"),
    ],
)
def test_page_with_a_wrong_block_fails_and_names_its_line(tmp_path, block, shown):
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{block}\n")
    done = run_page(page, tmp_path)
    assert done.returncode != 0
    assert shown in done.stderr


@pytest.mark.parametrize(
    "block",
    [
        "<!-- not run: it takes an hour -->\n```python\n1 / 0\n```",
        "<!-- needs: numpy, no_such_package.part -->\n```python\nimport no_such_package\n```",
        "```sh\npip install . && false\n```",
        "```text\n1 / 0\n```",
    ],
)
def test_block_that_says_why_is_not_run(tmp_path, block):
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{block}\n")
    assert run_page(page, tmp_path).returncode == 0


def test_readme_has_the_two_commands_that_do_all_the_set_up():
    commands = re.findall(r"^python3 -m venv .*$", read(README), re.MULTILINE)
    assert [command.rpartition("/")[2] for command in commands] == ["ddfast-bench", "pytest"]


@pytest.mark.parametrize("name", COMMANDS)
def test_example_of_command_is_understood_by_its_parser(name):
    command = importlib.import_module(f"ddfast.commands.{name}")
    parser = _run.make_parser(command, name)
    examples = re.findall(rf"^\s+ddfast {name.replace('_', '-')} (.*)$", command.__doc__, re.MULTILINE)
    assert examples
    for example in examples:
        parser.parse_args(shlex.split(example, comments=True))


# -- links


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(
        r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL), re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: str) -> list[str]:
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page, flags=re.MULTILINE | re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", link)]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_links_of_page_lead_somewhere(page):
    for link in links(read(page)):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if target.parent == GENERATED:
            assert target.stem.replace("-", "_") in COMMANDS, link
            continue
        assert target.exists(), link
        assert not anchor or anchor in anchors(read(target)), link


# -- the site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the site is built with {', '.join(missing)}: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("_build", "commands"))
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "docs", "html"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(ddfast.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def test_site_builds_without_warnings_and_has_every_page(site):
    names = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in PAGES if path != README}
    if importlib.util.find_spec("ddfast.torch") is None:
        names.discard(Path("api/torch.html"))
    assert all((site / name).exists() for name in names)


def test_site_loads_nothing_from_the_network(site):
    loads = re.compile(
        r"""<(?:link|script|img|iframe|source|object)\b[^>]*?(?:src|href|data)=["']?(?:https?:)?//[^>]*>"""
    )
    remote = [(path.name, found) for path in site.rglob("*.html") for found in loads.findall(read(path))]
    styles = [
        (path.name, found)
        for path in site.rglob("*.css")
        for found in re.findall(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^)"']*""", read(path))
    ]
    assert not remote
    assert not styles


def test_site_has_a_page_for_every_command_and_lists_it(site):
    listed = read(site / "commands.html")
    for command in COMMANDS:
        name = command.replace("_", "-")
        assert f"usage: ddfast {name}" in read(site / "commands" / f"{name}.html")
        assert f'href="commands/{name}.html"' in listed


def test_reference_lists_all_names_of_the_package():
    listed = re.findall(r"`(\w+)`", read(ROOT / "docs" / "api" / "ddfast.md"))
    assert sorted(listed) == sorted(["ddfast", *ddfast.__all__])


def test_site_describes_every_name_with_its_docstring(site):
    pages = "".join(read(path) for path in (site / "api").glob("*.html"))
    described = re.findall(
        r'<dt class="sig[^>]*id="ddfast\.\w+\.([\w.]+)">(?:(?!<dt).)*?</dt>\s*<dd><p>', pages, re.DOTALL
    )
    names = {*ddfast.__all__, *ERRORS, "BytesColumn", "Column.tolist"} - {"__version__"}
    assert not names - {*described}
