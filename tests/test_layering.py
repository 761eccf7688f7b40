"""Who may import whom: the layers of the package and of the C kernels, read from their source."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSRC = sorted(ROOT.glob("csrc/*.[ch]"))
MODULES = sorted(path for path in ROOT.glob("ddfast/**/*.py") if "_native" not in path.parts)

# Part of the package: the parts below it that it may import. What is not listed (torch, commands, testing and
# what comes later) sees only the public names.
ALLOWED: dict[str, set[str]] = {"errors": {"archive_error"}, "archive_error": {"errors"}}
ALLOWED["_native"] = {"errors"}
ALLOWED["stats"] = ALLOWED["once"] = ALLOWED["lazily"] = ALLOWED["options"] = set()
ALLOWED["policy"] = {"errors", "stats"}
ALLOWED["nd"] = ALLOWED["files"] = {"errors"}
ALLOWED["keys"] = {"_native", "errors", "files"}
ALLOWED["mapped"] = {"_native", "errors", "files"}
ALLOWED["index"] = {"_native", "errors", "files", "keys", "mapped"}
ALLOWED["journal"] = {"_native", "errors", "files"}
ALLOWED["columns"] = ALLOWED["order"] = ALLOWED["scan"] = {"_native", "errors"}
ALLOWED["storage"] = {"_native", "errors", "lazily"}
ALLOWED["batch"] = {"_native", "errors", "columns"}
ALLOWED["tools"] = {"errors", "files", "nd", "lazily"}
PLANNING = {
    "_native", "errors", "files", "keys", "nd", "mapped", "index", "columns", "batch", "order", "journal", "options",
}  # fmt: skip
ALLOWED["anydataset"] = {"_native", "errors", "once", "order", "stats"}
ALLOWED["dataset"] = PLANNING | {"storage", "anydataset", "once"}
ALLOWED["shard_keys"] = ALLOWED["dataset"]
ALLOWED["opening"] = ALLOWED["dataset"] | {"dataset", "shards", "far"}
ALLOWED["shards"] = ALLOWED["dataset"] | {"dataset", "shard_keys", "opening"}
ALLOWED["rescue"] = {"_native", "errors", "batch", "policy"}
ALLOWED["stream"] = PLANNING | {"rescue", "policy"}
ALLOWED["prefetch"] = ALLOWED["dataset"] | {"dataset", "policy", "stream"}
ALLOWED["remote"] = ALLOWED["prefetch"] | {"prefetch", "shard_keys", "stats"}
ALLOWED["far"] = ALLOWED["remote"] | {"remote"}
ALLOWED["reader"] = ALLOWED["aio"] = ALLOWED["writer"] = ALLOWED["prefetch"] | {
    "prefetch", "stream", "rescue", "stats", "once", "tools", "opening", "shards", "scan", "lazily", "storage",
}  # fmt: skip
PUBLIC = {
    "",
    "errors",
    "policy",
    "index",
    "scan",
    "batch",
    "order",
    "storage",
    "reader",
    "aio",
    "writer",
    "tools",
}
FORBIDDEN_TO_ALL = {"commands"}

# (module, what it imports): why it may
EXCEPTIONS = {
    ("", "lazily"): "names of the package are imported when they are used",
    ("__main__", "commands"): "python -m ddfast is the command",
}

BINDING_EXCEPTIONS = {
    ("", "lazily"): "names of the package are imported when they are used",
    ("decode.pyx", "ddfast.nd"): "the rare numpy values (structured, pickled) are built in Python",
}

# Heavy packages: the part that may import them, inside a function only.
HEAVY = {
    "torch", "pyarrow", "matplotlib", "obstore", "uvloop", "pandas", "PIL", "datadings", "requests", "gdown",
    "scipy", "tenacity", "osgeo", "multiprocessing", "fsspec",
}  # fmt: skip
HEAVY_AT_TOP = {("torch", "torch")}

LIBC = {
    "assert.h", "errno.h", "inttypes.h", "limits.h", "math.h", "pthread.h", "signal.h", "stdalign.h",
    "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
    "time.h",
}  # fmt: skip
INTRINSICS = {"immintrin.h", "arm_neon.h", "emmintrin.h", "smmintrin.h", "nmmintrin.h", "arm_acle.h"}
SYSTEM_CALLS = [
    "open", "openat", "close", "p?readv?", "p?writev?", "mmap", "munmap", "madvise", "f?stat", "poll",
    "syscall", "fcntl", "eventfd", "pipe2?", "posix_fadvise", "sync_file_range",
]  # fmt: skip
SYSTEM_HEADERS = ("sys/", "linux/", "fcntl.h", "poll.h", "sched.h", "unistd.h")
SYSTEM_FILES = {"ddf_sys.c", "ddf_uring.c"}


def part_of(path: Path) -> str:
    """The layer that a module belongs to: the first name below ddfast, '' for the package itself."""
    parts = path.relative_to(ROOT / "ddfast").with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def package_of(path: Path) -> list[str]:
    return list(path.relative_to(ROOT).parent.parts)


def imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    """Every import of a module, wherever it stands: (dotted name, at module level, line)."""
    tree = ast.parse(path.read_text())
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        top = id(node) not in inner
        if isinstance(node, ast.Import):
            yield from ((alias.name, top, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package_of(path)[: -node.level + 1 or None] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            # `from ddfast import x` may name a module; any other import is told by its module alone.
            names = [f"{prefix}.{alias.name}" for alias in node.names] if prefix == "ddfast" else [prefix]
            yield from ((name, top, node.lineno) for name in names)


def imported_part(name: str) -> str | None:
    """The layer that an import reaches, '' for the public names of the package, None outside ddfast."""
    package, _, rest = name.partition(".")
    if package != "ddfast":
        return None
    part = rest.partition(".")[0]
    is_module = (ROOT / "ddfast" / part).is_dir() or (ROOT / "ddfast" / f"{part}.py").exists()
    return part if is_module else ""


def may_import(importer: str, imported: str) -> bool:
    if imported == importer or (importer, imported) in EXCEPTIONS:
        return True
    if imported in FORBIDDEN_TO_ALL:
        return False
    return imported in ALLOWED.get(importer, PUBLIC)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_the_layers_below_it(path):
    importer = part_of(path)
    wrong = [
        f"line {line}: {importer or 'ddfast'} may not import {name}"
        for name, _, line in imports(path)
        if (part := imported_part(name)) is not None and not may_import(importer, part)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_needed(path):
    wrong = [
        f"line {line}: import {name} inside the function that needs it"
        for name, top, line in imports(path)
        if top and (heavy := name.partition(".")[0]) in HEAVY and (part_of(path), heavy) not in HEAVY_AT_TOP
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.name == "__init__.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_package_init_only_hands_names_on(path):
    statements = [
        node
        for node in ast.parse(path.read_text()).body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    assert not statements, f"line {statements[0].lineno} does more than re-export"


def test_bindings_import_only_kernels_and_leaves():
    pattern = re.compile(r"^\s*(?:from|cimport|import)\s+(ddfast[\w.]*)", re.MULTILINE)
    wrong = [
        f"{path.name}: {name}"
        for path in ROOT.glob("ddfast/_native/*.p[yx]*")
        for name in pattern.findall(path.read_text())
        if not name.startswith(("ddfast._native", "ddfast.errors"))
        and (path.name, name) not in BINDING_EXCEPTIONS
    ]
    assert not wrong


def included(path: Path) -> set[str]:
    return set(re.findall(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", CSRC, ids=lambda path: path.name)
def test_kernel_includes_only_libc_and_its_own_headers(path):
    own = {header.name for header in CSRC if header.suffix == ".h"}
    allowed = own | LIBC | INTRINSICS
    foreign = {
        name
        for name in included(path) - allowed
        if path.name not in SYSTEM_FILES or not name.startswith(SYSTEM_HEADERS)
    }
    assert not foreign


@pytest.mark.parametrize(
    "path", [path for path in CSRC if path.name not in SYSTEM_FILES], ids=lambda path: path.name
)
def test_system_calls_stay_in_ddf_sys(path):
    code = re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"", "", path.read_text(), flags=re.DOTALL)
    found = re.findall(rf"(?<![\w.>])(?:{'|'.join(SYSTEM_CALLS)})\s*\(", code)
    assert not found, f"{path.name} calls {found}"


def cycle_in(uses: Mapping[str, set[str]]) -> str | None:
    """A cycle of a graph as text, or None."""
    try:
        TopologicalSorter({module: used - {module} for module, used in uses.items()}).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return None


def test_kernels_include_each_other_in_one_direction():
    """A kernel is a pair of `.c` and `.h`: it uses another one if either of its files includes that one's header."""
    uses: dict[str, set[str]] = {path.stem: set() for path in CSRC}
    for path in CSRC:
        uses[path.stem] |= {name.removesuffix(".h") for name in included(path)} & uses.keys()
    assert cycle_in(uses) is None


def test_a_cycle_is_found_and_named():
    assert cycle_in({"a": {"a", "b"}, "b": {"c"}, "c": set()}) is None
    found = cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert found is not None
    assert sorted(set(found.split(" <- "))) == ["a", "b", "c"]


def object_of(path: Path, folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or shutil.which("nm") is None:
        pytest.skip("needs a C compiler and nm")
    result = folder / f"{path.stem}.o"
    # Without -fPIC a constant table of pointers is read-only data, told apart from a variable.
    flags = ["-std=c11", "-O1", "-fno-pic", "-fno-pie", "-I", str(path.parent)]
    subprocess.run([compiler, *flags, "-c", str(path), "-o", str(result)], check=True)
    return result


@pytest.fixture(scope="module")
def symbols(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """Types and names of the symbols of each kernel's object file, by kernel."""
    if sys.platform != "linux":
        pytest.skip("reads the symbol types of ELF objects")
    folder = tmp_path_factory.mktemp("kernels")
    listings = {
        path.stem: subprocess.run(
            ["nm", str(object_of(path, folder))], check=True, capture_output=True, text=True
        ).stdout
        for path in CSRC
        if path.suffix == ".c"
    }
    return {kernel: re.findall(r"^\S* +(\w) (\S+)$", text, re.MULTILINE) for kernel, text in listings.items()}


def test_kernels_call_each_other_in_one_direction(symbols):
    owner = {name: kernel for kernel, found in symbols.items() for kind, name in found if kind in "TRDB"}
    uses = {
        kernel: {owner[name] for kind, name in found if kind == "U" and name in owner}
        for kernel, found in symbols.items()
    }
    assert "ddf_core" in uses["ddf_engine"]
    assert cycle_in(uses) is None


def test_kernels_have_no_mutable_globals(symbols):
    # B, C, D, G, S and their lower-case kin are writable data; R is read-only.
    writable = {
        kernel: [name for kind, name in found if kind in "BbCDdGgSs"] for kernel, found in symbols.items()
    }
    assert not {kernel: names for kernel, names in writable.items() if names}


@pytest.mark.parametrize("path", CSRC, ids=lambda path: path.name)
def test_only_ddf_job_writes_the_state_of_a_job(path):
    writes = re.findall(
        r"atomic_(?:init|store\w*|exchange\w*)\(&job->state\b|job->state\s*=[^=]", path.read_text()
    )
    assert not writes or path.name == "ddf_job.c"
