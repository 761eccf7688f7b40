"""Build the Cython bindings: one extension per .pyx, each compiled together with the C kernels it binds."""

import copy
import os
import sys
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

if not sys.platform.startswith(("linux", "darwin")):
    raise SystemExit(
        f"ddfast reads files with preadv and POSIX threads and has no port to {sys.platform!r} yet; "
        "Linux and macOS are supported. On Windows, use WSL."
    )

# binding: the kernels compiled into it (csrc/ddf_<name>.c); tests read this table as a literal
KERNELS = {
    "arena": ["arena", "sys"],
    "arrays": [],
    "columns": [
        "columns", "table", "columns_fields", "columns_locate", "columns_fill", "msgpack", "nd", "arena", "sys",
    ],
    "decode": ["msgpack"],
    "engine": [
        "engine", "core", "worker", "ring", "job", "limit", "retry", "notifier", "uring",
        "shards", "offsets", "file", "arena", "sys",
    ],
    "remote_queue": [
        "remote_queue", "core", "job", "limit", "retry", "notifier", "uring",
        "shards", "offsets", "file", "arena", "sys",
    ],
    "fetch": [
        "fetch", "order", "plan", "xxh3",
        "engine", "core", "worker", "ring", "job", "limit", "retry", "notifier", "uring",
        "shards", "offsets", "file",
        "columns", "table", "columns_fields", "columns_locate", "columns_fill", "msgpack", "nd", "arena", "sys",
    ],
    "file": ["retry", "file", "sys"],
    "keys": ["keys", "msgpack", "sys"],
    "write_buffer": ["roundtrip", "msgpack", "nd"],
    "msgpack": ["msgpack"],
    "nd": ["msgpack", "nd"],
    "offsets": ["offsets"],
    "order": ["order"],
    "plan": ["plan"],
    "roundtrip": ["roundtrip", "msgpack", "nd"],
    "samples": ["payload", "msgpack", "shards", "offsets", "file", "sys", "xxh3"],
    "scan": ["scan", "msgpack"],
    "shards": ["shards", "offsets", "file", "sys"],
    "shuffle": ["shuffle"],
    "status": [],
    "xxh3": ["xxh3"],
}  # fmt: skip

CFLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"]
if sys.platform.startswith("linux") and os.uname().machine == "x86_64":
    CFLAGS.append("-march=x86-64-v2")


class ParallelBuild(build_ext):
    """Compile the extensions side by side."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extension(self, ext):
        # Several bindings compile the same kernel: each needs its own object file of it.
        build = copy.copy(self)
        build.build_temp = str(Path(self.build_temp, ext.name))
        super(ParallelBuild, build).build_extension(ext)


def extension(name: str, kernels: list[str]) -> Extension:
    """The extension of binding ``name``, with its own copy of the kernels."""
    sources = [f"ddfast/_native/{name}.pyx", *(f"csrc/ddf_{kernel}.c" for kernel in kernels)]
    return Extension(
        f"ddfast._native.{name}",
        sources,
        include_dirs=["csrc", np.get_include()],
        depends=[str(header) for header in Path("csrc").glob("*.h")],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=CFLAGS + os.environ.get("DDFAST_CFLAGS", "").split(),
        extra_link_args=["-pthread", *os.environ.get("DDFAST_LDFLAGS", "").split()],
    )


setup(
    cmdclass={"build_ext": ParallelBuild},
    ext_modules=cythonize(
        [extension(name, kernels) for name, kernels in KERNELS.items()],
        language_level=3,
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "binding": True,
            "freethreading_compatible": False,
        },
        build_dir="build/cython",
    ),
)
