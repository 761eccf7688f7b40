"""Build the C kernels of csrc once, as a static library, and each Cython binding as an extension linked with it."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_clib import build_clib
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

if not sys.platform.startswith(("linux", "darwin")):
    raise SystemExit(
        f"ddfast reads files with preadv and POSIX threads and has no port to {sys.platform!r} yet; "
        "Linux and macOS are supported. On Windows, use WSL."
    )

CFLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"]
if sys.platform.startswith("linux") and os.uname().machine == "x86_64":
    CFLAGS.append("-march=x86-64-v2")
MORE_CFLAGS = os.environ.get("DDFAST_CFLAGS", "").split()
MORE_LDFLAGS = os.environ.get("DDFAST_LDFLAGS", "").split()

# Debug information of generated C is not useful, and would be most of the output of a build.
NO_DEBUG_INFORMATION = ["-g0"]

SHARED = "ddfast._native._shared"
"""Extension of Cython's own support code (memoryviews above all), which otherwise is compiled into every binding."""

DIRECTIVES = {
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "binding": True,
    "freethreading_compatible": False,
}

HEADERS = sorted(map(str, Path("csrc").glob("*.h")))
KERNELS = sorted(map(str, Path("csrc").glob("*.c")))
BINDINGS = sorted(Path("ddfast", "_native").glob("*.pyx"))


def compile_only_outdated(compiler, force):
    """Have ``compiler`` compile, side by side, only sources that are newer than their object file, or any header is."""
    compile_all = compiler.compile

    def compile_outdated(sources, output_dir=None, depends=None, **options):
        objects = compiler.object_filenames(sources, output_dir=output_dir)
        outdated = [
            source
            for source, target in zip(sources, objects, strict=True)
            if force or newer_group([source, *HEADERS], target)
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda source: compile_all([source], output_dir, **options), outdated):
                pass
        return objects

    compiler.compile = compile_outdated


class KernelLibrary(build_clib):
    """Build the static library of the kernels."""

    def build_libraries(self, libraries):
        compile_only_outdated(self.compiler, self.force)
        for name, options in libraries:
            objects = self.compiler.compile(
                options["sources"], self.build_temp, extra_postargs=options["cflags"], debug=self.debug
            )
            archive = Path(self.build_clib, self.compiler.library_filename(name))
            if newer_group(objects, str(archive)):
                archive.unlink(missing_ok=True)  # ar would keep the objects of removed sources
                self.compiler.create_static_lib(objects, name, output_dir=self.build_clib)


class Bindings(build_ext):
    """Translate the bindings with Cython, compile them side by side, and link each with the kernels."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self):
        kernels = self.get_finalized_command("build_clib")
        kernels.force = kernels.force or self.force
        self.run_command("build_clib")
        super().run()

    def build_extensions(self):
        # Imported here, because a source distribution is made without them.
        import numpy as np
        from Cython.Build import cythonize

        translated = cythonize(
            self.extensions,
            force=self.force,
            language_level=3,
            compiler_directives=DIRECTIVES,
            shared_utility_qualified_name=SHARED,
            build_dir="build/cython",
        )
        sources = {extension.name: extension.sources for extension in translated}
        kernels = self.get_finalized_command("build_clib")
        archives = [
            str(Path(kernels.build_clib, self.compiler.library_filename(name)))
            for name in kernels.get_library_names()
        ]
        for extension in self.extensions:
            extension.sources = sources[extension.name]
            extension.include_dirs.append(np.get_include())
            extension.depends.extend(archives)
            output = Path(self.get_ext_fullpath(extension.name))
            if newer_group(archives, str(output)):
                output.unlink(missing_ok=True)  # the linker looks at the objects of the binding only
        compile_only_outdated(self.compiler, self.force)
        super().build_extensions()


def binding(name: str, source: str) -> Extension:
    """The extension that is compiled from one source."""
    return Extension(
        name,
        [source],
        include_dirs=["csrc"],
        depends=[*HEADERS],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=[*CFLAGS, *NO_DEBUG_INFORMATION, *MORE_CFLAGS],
        extra_link_args=["-pthread", *MORE_LDFLAGS],
    )


setup(
    cmdclass={"build_clib": KernelLibrary, "build_ext": Bindings},
    libraries=[("ddfast_kernels", {"sources": KERNELS, "cflags": [*CFLAGS, *MORE_CFLAGS]})],
    ext_modules=[
        *(binding(f"ddfast._native.{path.stem}", str(path)) for path in BINDINGS),
        binding(SHARED, SHARED.replace(".", "/") + ".c"),  # which Cython writes
    ],
)
