"""Storage that does not answer: opening a file waits as long as there is a file of the same name and ``.stuck``."""

import shutil
import subprocess
from pathlib import Path

import pytest

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void wait_for(const char *path) {
    char stuck[4096];
    snprintf(stuck, sizeof stuck, "%s.stuck", path);
    while (access(stuck, F_OK) == 0) usleep(5000);
}
#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        static int (*next)(const char *, int, ...);                       \
        if (next == NULL) next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        int mode = flags & O_CREAT ? va_arg(rest, int) : 0;               \
        va_end(rest);                                                     \
        wait_for(path);                                                   \
        return next(path, flags, mode);                                   \
    }
OPEN(open)
OPEN(open64)
"""

AGAIN = """
import os, sys
os.environ["LD_PRELOAD"] = sys.argv[1]
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[2:]])
"""


def build(folder: Path) -> Path:
    """Compile the library to preload into a folder. Skips the test if there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    (folder / "stuck.c").write_text(SHIM)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", "stuck.so", "stuck.c", "-ldl"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "stuck.so"
