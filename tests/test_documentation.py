"""README and the pages in docs/ do what they say, name what exists, and make a complete site."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, RUN, SHOWN, blocks, run_page
from test_layering import ABOVE, LEVELS

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
        ("```python\nx = 1\n```\n\n```pycon\n>>> x\n2\n```", "line 8: the output differs"),
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
    assert [command.rpartition("/")[2] for command in commands] == ["ddfast-bench", "pytest -n auto"]


def test_readme_is_short():
    assert len(read(README).split()) <= 700


def test_speed_in_readme_is_that_of_the_page_on_speed():
    figures = re.findall(r"\| (\d[\d,]+) \| (\d[\d,]+) \| [\d.]+ \|$", read(README), re.MULTILINE)
    assert len(figures) == 4
    assert all(f"| {theirs} | {ours} |" in read(ROOT / "docs" / "speed.md") for theirs, ours in figures)


def test_quick_start_lists_the_required_packages():
    required = re.search(
        r"^dependencies = \[(.*?)^\]", read(ROOT / "pyproject.toml"), re.MULTILINE | re.DOTALL
    )
    listed = re.search(r"the required packages: ([\w, ]+)\.", read(ROOT / "docs" / "quickstart.md"))
    assert required
    assert listed
    assert listed[1].split(", ") == re.findall(r'"([\w-]+)', required[1])


@pytest.mark.parametrize("name", COMMANDS)
def test_example_of_command_is_understood_by_its_parser(name):
    command = importlib.import_module(f"ddfast.commands.{name}")
    parser = _run.make_parser(command, name)
    examples = re.findall(rf"^\s+ddfast {name.replace('_', '-')} (.*)$", command.__doc__, re.MULTILINE)
    assert examples
    for example in examples:
        parser.parse_args(shlex.split(example, comments=True))


# -- names

PUBLIC = (
    "ddfast",
    "aio",
    "batch",
    "errors",
    "index",
    "policy",
    "reader",
    "scan",
    "stats",
    "storage",
    "tools",
    "writer",
)
FOLDERS = r"benchmarks|csrc|ddfast|docs|tests"


def code_of(page: str) -> Iterator[str]:
    """Inline code of a page, and the lines of its shell and text blocks."""
    yield from re.findall(
        r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", page, flags=re.MULTILINE | re.DOTALL)
    )
    for block in blocks(page):
        if block.language in ("sh", "text"):
            yield from block.code.splitlines()


def parameters() -> set[str]:
    """Names of all parameters of the public functions, classes and methods."""
    modules = [importlib.import_module(name if name == "ddfast" else f"ddfast.{name}") for name in PUBLIC]
    things = [
        getattr(module, name) for module in modules for name in getattr(module, "__all__", vars(module))
    ]
    for thing in [thing for thing in things if isinstance(thing, type)]:
        things += [value for name, value in inspect.getmembers(thing, callable) if not name.startswith("_")]
    return {name for thing in things if callable(thing) for name in signature(thing)}


def signature(thing: Any) -> set[str]:
    try:
        return set(inspect.signature(thing).parameters)
    except (TypeError, ValueError):  # some functions written in C have none
        return set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_imports_names_that_exist(page):
    for block in blocks(read(page)):
        if block.language != "python" or (block.note == "needs" and not block.runs):
            continue
        for node in ast.walk(ast.parse(block.code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ddfast":
                if node.module == "ddfast.torch" and importlib.util.find_spec("torch") is None:
                    continue
                module = importlib.import_module(str(node.module))
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert not missing, f"line {block.line}: {node.module} has no {missing}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=name_of)
def test_page_names_files_that_exist(page):
    for code in code_of(read(page)):
        for name in re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]*\w/?)", code):
            exists = (ROOT / name).exists() or list((ROOT / name).parent.glob(f"{Path(name).name}.[ch]"))
            assert exists or name.startswith("docs/_build"), name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_names_commands_and_their_options_that_exist(page):
    for code in code_of(read(page)):
        for name, rest in re.findall(r"(?<![\w/.-])ddfast(?: |-)([a-z][a-z-]*)([^|;&]*)", code):
            assert name.replace("-", "_") in COMMANDS, code
            command = importlib.import_module(f"ddfast.commands.{name.replace('-', '_')}")
            known = _run.make_parser(command, name).format_help()
            for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest):
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), code


def test_readme_names_parameters_that_exist():
    inline = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", read(README), flags=re.MULTILINE | re.DOTALL)
    )
    named = {name for code in inline for name in re.findall(r"(?<![\w-])(\w+)=(?!=)", code)}
    assert named
    assert not named - parameters()


# -- architecture

ARCHITECTURE = ROOT / "docs" / "architecture.md"


def modules_in_tree() -> dict[tuple[str, str], str]:
    """(folder, name in its table) of every module and kernel: the first line of its description."""
    found = {}
    for path in ROOT.glob("csrc/*.[ch]"):
        if path.suffix == ".h" or not path.with_suffix(".h").exists():
            found["csrc", path.stem] = read(path).partition("\n")[0].partition(": ")[2]
    for path in ROOT.glob("ddfast/_native/*.pyx"):
        found["ddfast/_native", path.stem] = read(path).partition("\n")[0].strip('"')
    for path in ROOT.glob("ddfast/**/*.py"):
        folder = str(path.parent.relative_to(ROOT))
        if path.name != "__init__.py" and folder != "ddfast/_native":
            found[folder, path.name] = (ast.get_docstring(ast.parse(read(path))) or "").partition("\n")[0]
    return found


def modules_in_tables() -> set[tuple[str, str]]:
    """(folder, name) of every row below a heading that is a folder."""
    sections = re.split(r"^### `(.+)`$", read(ARCHITECTURE), flags=re.MULTILINE)
    tables = zip(sections[1::2], sections[2::2], strict=True)
    return {
        (folder, name)
        for folder, table in tables
        for name in re.findall(
            r"^\| `([\w.]+)` \|", re.split(r"^#", table, flags=re.MULTILINE)[0], re.MULTILINE
        )
    }


def test_architecture_lists_every_module_and_no_other():
    tree, listed = modules_in_tree(), modules_in_tables()
    missing = [
        f"add to {folder}: | `{name}` | {tree[folder, name]} |" for folder, name in sorted({*tree} - listed)
    ]
    gone = [f"remove from {folder}: {name}" for folder, name in sorted(listed - {*tree})]
    assert not missing + gone, "\n".join(missing + gone)


def test_architecture_lists_every_room_on_its_level():
    rows = re.findall(r"^\| (\d+|above) \| (.*?) \|", read(ARCHITECTURE), re.MULTILINE)
    listed = {room: level for level, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}
    assert listed == {**{room: str(level) for room, level in LEVELS.items()}, **dict.fromkeys(ABOVE, "above")}


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
    """Folder of the built site."""
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
    assert {*listed} == {"ddfast", "__version__", *ddfast.__all__}


def test_site_describes_every_name_with_its_docstring(site):
    pages = "".join(read(path) for path in (site / "api").glob("*.html"))
    described = re.findall(
        r'<dt class="sig[^>]*id="ddfast\.\w+\.([\w.]+)">(?:(?!<dt).)*?</dt>\s*<dd><p>', pages, re.DOTALL
    )
    names = {*ddfast.__all__, *ERRORS, "BytesColumn", "Column.tolist"} - {"__version__"}
    assert not names - {*described}
