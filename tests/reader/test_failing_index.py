"""Index files on storage that fails: errors that name the file, after further attempts on a mount; never a signal."""

import shutil
import subprocess

import pytest

from ddfast import FileWriter

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The first BAD_TIMES reads of the file BAD_INODE fail with BAD_ERRNO. */
static int fails(int fd) {
    static int times;
    struct stat s;
    const char *inode = getenv("BAD_INODE");
    if (inode == NULL || fstat(fd, &s) < 0 || s.st_ino != strtoull(inode, NULL, 10)) return 0;
    errno = atoi(getenv("BAD_ERRNO"));
    return times++ < atoi(getenv("BAD_TIMES"));
}
#define NEXT(name) static __typeof__(name) *next; if (next == NULL) next = dlsym(RTLD_NEXT, #name);
int fstatfs(int fd, struct statfs *s) {
    NEXT(fstatfs) int status = next(fd, s); if (getenv("MOUNTED")) s->f_type = 0x6969; return status;
}
int fstatfs64(int fd, struct statfs64 *s) {
    NEXT(fstatfs64) int status = next(fd, s); if (getenv("MOUNTED")) s->f_type = 0x6969; return status;
}
ssize_t pread(int fd, void *b, size_t n, off_t at) { NEXT(pread) return fails(fd) ? -1 : next(fd, b, n, at); }
ssize_t pread64(int fd, void *b, size_t n, off_t at) { NEXT(pread64) return fails(fd) ? -1 : next(fd, b, n, at); }
"""

SCRIPT = """
import errno, os, sys
from ddfast import MsgpackReader
from ddfast.errors import ReadError
path, suffix, number, times, *mounted = sys.argv[1:]
def use(when):
    reader = MsgpackReader(path, verify="sample", on_error="skip")
    if when == "later":
        fail()
    reader.find_index("77"), reader.find_key(5), reader.get(15_000)
    assert sum(len(batch) for batch in reader.batches(256, shuffle=True)) == 30_000
def fail():
    os.environ.update(BAD_INODE=str(os.stat(path + suffix).st_ino), BAD_ERRNO=number, BAD_TIMES=times)
if mounted:
    os.environ["MOUNTED"] = "1"
fail() if mounted[1:] else None
try:
    use("later")
except ReadError as error:
    assert error.errno == int(number) and error.filename == path + suffix, error
    print("error")
else:
    print("fine")
"""

AGAIN = """
import os, sys
os.environ["LD_PRELOAD"] = sys.argv[1]
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[2:]])
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", "shim.so", "shim.c", "-ldl"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "shim.so"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "x.msgpack"
    with FileWriter(path, disable=True) as writer:
        for i in range(30_000):
            writer.write({"key": str(i), "i": i})
    return path


def outcome(run_python, shim, *arguments):
    done = run_python("-c", AGAIN, str(shim), SCRIPT, *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SUFFIXES = [".keys", ".key_hashes", ".offsets", ".xxh3"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_error_of_a_local_disk_is_a_read_error_that_names_the_file(run_python, shim, path, suffix):
    assert outcome(run_python, shim, path, suffix, 5, 1000) == "error"


@pytest.mark.parametrize("number", [5, 116])  # EIO, ESTALE
@pytest.mark.parametrize("suffix", [".keys", ".key_hashes"])
def test_passing_error_of_a_mount_is_not_seen(run_python, shim, path, suffix, number):
    assert outcome(run_python, shim, path, suffix, number, 2, "mounted") == "fine"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_passing_error_of_a_mount_at_opening_is_not_seen(run_python, shim, path, suffix):
    assert outcome(run_python, shim, path, suffix, 5, 2, "mounted", "at once") == "fine"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lasting_error_of_a_mount_is_a_read_error_that_names_the_file(run_python, shim, path, suffix):
    assert outcome(run_python, shim, path, suffix, 5, 1000, "mounted", "at once") == "error"
