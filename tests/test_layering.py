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

# The rooms of the package, bottom first: a module imports only its own room and rooms of lines above.
ROOMS = [
    {"errors"},
    {"_util"},
    {"_native"},
    {"format"},
    {"tools", "storage", "batch"},
    {"dataset"},
    {"loading"},
    {"reader", "aio", "writer"},
    {"recovery"},
]
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

# What stands on the public API alone: these modules of the root, which only hand names on, and these rooms.
FACES = {"index", "order", "policy", "scan", "stats"}
PUBLIC = FACES | {"", "errors", "batch", "storage", "reader", "aio", "writer", "recovery", "tools"}
ABOVE = {
    "torch": PUBLIC,
    "annotated": PUBLIC,
    "formats": PUBLIC | {"annotated"},
    "commands": PUBLIC | {"annotated", "formats"},
    "testing": PUBLIC | {"annotated", "formats"},
}

ROOT_FILES = {f"{face}.py" for face in FACES} | {"__init__.py", "__init__.pyi", "__main__.py", "py.typed"}

# Heavy packages: the part that may import them, inside a function only.
HEAVY = {
    "torch", "pyarrow", "matplotlib", "obstore", "uvloop", "pandas", "PIL", "datadings", "requests", "gdown",
    "scipy", "tenacity", "osgeo", "multiprocessing", "fsspec", "pycocotools", "lxml", "orjson", "yaml",
}  # fmt: skip
HEAVY_AT_TOP = {("torch", "torch")}

LIBC = {
    "assert.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "pthread.h", "signal.h", "stdalign.h",
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


def name_of(path: Path) -> str:
    """Dotted name of a module; of a package for its ``__init__``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def room_of(name: str) -> str:
    """The first name below ddfast, '' for the package itself."""
    return name.split(".")[1] if "." in name else ""


def imported(node: ast.AST, package: list[str]) -> list[str]:
    """Modules, or names in modules, that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = package[: len(package) - node.level + 1] if node.level else []
    return [".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names]


def module_of(name: str) -> str:
    """The module that an imported name is, or is in."""
    return name if name in NAMES or not name.startswith("ddfast") else name.rpartition(".")[0]


def is_run_later(node: ast.AST) -> bool:
    """Whether what stands in it is not run when the module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    """Every import of a module, wherever it stands: (module, when the module is imported, line).

    A package whose names are imported lazily imports what its stub does.
    """
    sources = [path] + ([path.with_suffix(".pyi")] if path.name == "__init__.py" else [])
    for source in filter(Path.exists, sources):
        tree = ast.parse(source.read_text())
        later = [node for node in ast.walk(tree) if is_run_later(node)]
        inner = {id(node) for block in later for node in ast.walk(block)}
        package = list(source.relative_to(ROOT).parent.parts)
        for node in ast.walk(tree):
            for name in imported(node, package):
                yield module_of(name), id(node) not in inner, node.lineno


def own_imports(path: Path) -> set[str]:
    """Modules of ddfast that a module imports, but for the compiled ones."""
    return {name for name, _, _ in imports(path) if name in NAMES and name != name_of(path)}


def cycle_in(uses: Mapping[str, set[str]]) -> str | None:
    """A cycle of a graph as text, or None."""
    try:
        TopologicalSorter({module: used - {module} for module, used in uses.items()}).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return None


def may_import(room: str, other: str) -> bool:
    if room == other or (room, other) == ("__main__", "commands"):
        return True
    if room in LEVELS:
        return other in LEVELS and LEVELS[other] < LEVELS[room]
    if room == "" or room in FACES:
        return other in LEVELS
    return other in ABOVE.get(room, ())


def test_a_cycle_is_found_and_named():
    assert cycle_in({"a": {"a", "b"}, "b": {"c"}, "c": set()}) is None
    found = cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert found is not None
    assert sorted(set(found.split(" <- "))) == ["a", "b", "c"]


def test_modules_do_not_import_in_circles():
    assert cycle_in({name: own_imports(path) for name, path in NAMES.items()}) is None


def test_rooms_do_not_import_in_circles():
    rooms: dict[str, set[str]] = {room_of(name): set() for name in NAMES}
    for name, path in NAMES.items():
        rooms[room_of(name)] |= {room_of(other) for other in own_imports(path)} - {room_of(name)}
    assert cycle_in(rooms) is None


def test_no_two_classes_have_the_same_name():
    places: dict[str, list[str]] = {}
    for path in [*MODULES, *sorted(ROOT.glob("ddfast/_native/*.pyi"))]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(name_of(path))
    # Two names are given by others: that of datadings' torch module, and that of an annotated dataset.
    assert not {name: where for name, where in places.items() if len(where) > 1 and name != "Dataset"}


def test_the_root_has_faces_only():
    files = {path.name for path in (ROOT / "ddfast").iterdir() if path.is_file()}
    assert files <= ROOT_FILES
    rooms = {
        path.name for path in (ROOT / "ddfast").iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert rooms == set(LEVELS) | set(ABOVE)


@pytest.mark.parametrize("face", sorted(FACES))
def test_a_face_only_hands_names_on(face):
    body = ast.parse((ROOT / "ddfast" / f"{face}.py").read_text()).body
    assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in body)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_rooms_below_its_own(path):
    room = room_of(name_of(path))
    wrong = [
        f"line {line}: {room or 'ddfast'} may not import {name}"
        for name, _, line in imports(path)
        if name.startswith("ddfast") and not may_import(room, room_of(name))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_needed(path):
    wrong = [
        f"line {line}: import {name} inside the function that needs it"
        for name, top, line in imports(path)
        if top
        and (heavy := name.partition(".")[0]) in HEAVY
        and (room_of(name_of(path)), heavy) not in HEAVY_AT_TOP
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
        and not is_run_later(node)
    ]
    assert not statements, f"line {statements[0].lineno} does more than re-export"


def test_bindings_import_only_rooms_below_them():
    pattern = re.compile(r"^\s*(?:from|cimport|import)\s+(ddfast[\w.]*)", re.MULTILINE)
    wrong = [
        f"{path.name}: {name}"
        for path in ROOT.glob("ddfast/_native/*.p[yx]*")
        for name in pattern.findall(path.read_text())
        if not may_import("_native", room_of(name))
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


def test_kernels_include_each_other_in_one_direction():
    """A kernel is a pair of `.c` and `.h`: it uses another one if either of its files includes that one's header."""
    uses: dict[str, set[str]] = {path.stem: set() for path in CSRC}
    for path in CSRC:
        uses[path.stem] |= {name.removesuffix(".h") for name in included(path)} & uses.keys()
    assert cycle_in(uses) is None


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
