"""Builds the counted programs: one for each kernel of a tree."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

DRIVERS = Path("benchmarks", "kernels", "drivers")
SHARED = ("bench", "steady")
"""Sources that all programs are linked with; each of the other sources is one program."""

X86 = platform.machine() == "x86_64"

OPTIMISE = ("-std=c11", "-O3", *(("-march=x86-64-v2",) if X86 else ()))
"""As `setup.py` compiles the kernels."""

PLAIN = (
    "-fno-pie",
    "-fno-stack-protector",
    "-fno-stack-clash-protection",
    "-U_FORTIFY_SOURCE",
    "-D__builtin_cpu_supports(feature)=0",
    *(("-fcf-protection=none",) if X86 else ()),
)
"""Undo what distributions switch on, and take no way that only some processors have."""

FITTING = ("-Werror=implicit-function-declaration", "-Werror=incompatible-pointer-types")
"""For the programs: one that does not fit the kernels shall not compile."""

NO_CALLS_OF_ITSELF = ("-fno-builtin",)
"""For steady.c, which defines memcpy."""


class BuildError(RuntimeError):
    """The compiler failed; the message contains its output."""


@dataclass(slots=True)
class Built:
    """Programs by kernel, and the output of the compiler for those that could not be built."""

    programs: dict[str, Path] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def compiler() -> list[str]:
    """The C compiler: the value of CC, or cc."""
    return shlex.split(os.environ.get("CC", "cc"))


def toolchain() -> dict[str, str]:
    """Everything that counts depend on besides the sources: counts can be compared if all of it is equal.

    Raises:
        BuildError: the compiler is not installed.
    """
    defined = call(*compiler(), "-dM", "-E", "-x", "c", os.devnull).splitlines()
    macros = dict(line.removeprefix("#define ").partition(" ")[::2] for line in defined)
    names = (
        ("clang", ["__clang_major__", "__clang_minor__", "__clang_patchlevel__"])
        if "__clang__" in macros
        else ("gcc", ["__GNUC__", "__GNUC_MINOR__", "__GNUC_PATCHLEVEL__"])
    )
    version = ".".join(macros.get(macro, "?") for macro in names[1])
    return {
        "compiler": f"{names[0]} {version}",
        "flags": " ".join(OPTIMISE),
        "machine": platform.machine(),
    }


def describe(chain: dict[str, str]) -> str:
    """The compiler and its options in one line."""
    return f"{chain['compiler']} for {chain['machine']} with {chain['flags']}"


def build(tree: Path, drivers: Path, out: Path) -> Built:
    """Build the programs that count the kernels of a tree.

    Parameters:
        tree: a checkout of any revision.
        drivers: folder of the programs' sources.
        out: an empty folder for the programs.

    Raises:
        BuildError: the kernels themselves do not compile. A program that does not fit them is not an error.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def compile_one(source: Path) -> Path:
            return compiled(source, out, tree / "csrc")

        shared = pool.map(compile_one, [drivers / f"{name}.c" for name in SHARED])
        kernels = pool.map(compile_one, sorted(tree.glob("csrc/*.c")))
        objects = [*shared, *kernels]
        sources = [source for source in sorted(drivers.glob("*.c")) if source.stem not in SHARED]
        programs = pool.map(lambda source: attempt(source, objects, out, tree / "csrc"), sources)
        built = Built()
        for source, program in zip(sources, programs, strict=True):
            if isinstance(program, Path):
                built.programs[source.stem] = program
            else:
                built.failed[source.stem] = program
    return built


def attempt(source: Path, objects: list[Path], out: Path, headers: Path) -> Path | str:
    """The program of one source, or the output of the compiler."""
    program = out / source.stem
    try:
        own = compiled(source, out, headers)
        call(*compiler(), "-no-pie", "-o", str(program), str(own), *map(str, objects), "-pthread")
    except BuildError as error:
        return str(error)
    return program


def compiled(source: Path, out: Path, headers: Path) -> Path:
    """The object file of one source."""
    target = out / f"{source.stem}.o"
    special = [] if source.parent == headers else [*FITTING]
    if source.stem == "steady":
        special.extend(NO_CALLS_OF_ITSELF)
    call(*compiler(), *OPTIMISE, *PLAIN, *special, f"-I{headers}", "-c", "-o", str(target), str(source))
    return target


def call(*command: str) -> str:
    """The output of a command.

    Raises:
        BuildError: it failed, or does not exist.
    """
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BuildError(f"{command[0]!r} is not installed") from None
    if run.returncode != 0:
        errors = [line for line in run.stderr.splitlines() if "error" in line] or [run.stderr]
        raise BuildError("\n".join([shlex.join(command), *errors]))
    return run.stdout
