"""What gets installed: modules, stubs, commands and their declared dependencies."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.metadata
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ddfast

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = Path(ddfast.__file__).parent
SHIPPED = sorted(
    path.relative_to(ROOT / "ddfast")
    for pattern in ("**/*.py", "**/*.pyi", "**/*.pxd", "py.typed")
    for path in ROOT.glob(f"ddfast/{pattern}")
)
BINDINGS = sorted(path.stem for path in ROOT.glob("ddfast/_native/*.pyx"))
COMMANDS = sorted(path.stem for path in ROOT.glob("ddfast/commands/*.py") if not path.stem.startswith("_"))


def requirements(extra: str | None = None) -> set[str]:
    lines = importlib.metadata.requires("ddfast") or []
    chosen = [line for line in lines if (f'extra == "{extra}"' in line if extra else "extra" not in line)]
    return {re.match(r"[\w.-]+", line).group().lower() for line in chosen}


def installed_metadata() -> None:
    try:
        importlib.metadata.version("ddfast")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("ddfast is not installed")


@pytest.mark.parametrize("path", SHIPPED, ids=str)
def test_every_module_and_stub_is_installed(path):
    assert (INSTALLED / path).is_file()


@pytest.mark.parametrize("name", BINDINGS)
def test_every_binding_is_built(name):
    module = importlib.import_module(f"ddfast._native.{name}")
    assert module.__file__.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_page(name):
    module = importlib.import_module(f"ddfast.commands.{name}")
    assert "Example" in module.__doc__
    assert list(inspect.signature(module.add_arguments).parameters) == ["parser"]
    assert list(inspect.signature(module.main).parameters) == ["args"]
    assert callable(module.entry)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_script(name):
    installed_metadata()
    scripts = importlib.metadata.entry_points(group="console_scripts")
    assert f"ddfast.commands.{name}:entry" in {
        script.value for script in scripts if script.name == f"ddfast-{name.replace('_', '-')}"
    }


def test_version_is_that_of_the_metadata():
    installed_metadata()
    assert ddfast.__version__ == importlib.metadata.version("ddfast")


def test_version_is_known_without_metadata():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", ddfast.__version__)
    assert "__version__" in ddfast.__all__


def third_party(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and not node.level}
    names |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    return {name.partition(".")[0].lower() for name in names if name}


def test_what_is_imported_at_the_top_is_a_declared_dependency():
    installed_metadata()
    own = {"ddfast", *sys.stdlib_module_names}
    optional = {"torch": {"torch"}, "testing": {"pytest"}}  # what these parts are for
    undeclared = {
        (str(path.relative_to(ROOT)), name)
        for path in ROOT.glob("ddfast/**/*.py")
        for name in third_party(path) - own - requirements()
        if name not in optional.get(path.relative_to(ROOT / "ddfast").parts[0], set())
    }
    assert not undeclared


def test_source_folder_without_compiled_modules_says_what_to_do(tmp_path):
    shutil.copytree(
        ROOT / "ddfast", tmp_path / "ddfast", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    code = "from ddfast import FileWriter"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "ImportError" in run.stderr
    assert f"Run the program in another folder, or run `{sys.executable} -m pip install -e .`" in run.stderr
