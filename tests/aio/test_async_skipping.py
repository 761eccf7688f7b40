"""The asynchronous reader leaves damaged samples out, as the blocking one does."""

import asyncio
import shutil
import subprocess
import threading

import numpy as np
import pytest
from datasets import damage, offsets_of, some_samples, write

from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import CallbackError, CorruptSampleError
from ddfast.policy import Quarantine

N = 120
SAMPLES = some_samples(N)
BAD = [0, 13, 14, 15, 77, 118, 119]


@pytest.fixture
def path(tmp_path):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    for index in BAD:
        damage(path, index)
    return path


def blocking(path, batch_size, **arguments):
    with MsgpackReader(path, on_error="skip") as reader:
        return [batch.indices.tolist() for batch in reader.batches(batch_size, **arguments)]


@pytest.mark.parametrize(
    "options", [{}, {"prefetch_bytes": 1}, {"queue_depth": 1}, {"queue_depth": 64}], ids=str
)
@pytest.mark.parametrize("batch_size", [1, 4, 150])
def test_both_faces_deliver_the_same(arun, path, options, batch_size):
    async def main():
        async with AsyncReader(path, on_error="skip", **options) as reader:
            for shuffle in (False, True):
                got = [b.indices.tolist() async for b in reader.batches(batch_size, shuffle=shuffle)]
                assert got == blocking(path, batch_size, shuffle=shuffle)
            assert reader.stats().skipped == 2 * len(BAD)
        assert {bad.index for bad in reader.quarantine} == set(BAD)

    arun(main())


def test_samples_leave_damaged_ones_out(arun, path, tmp_path):
    async def main(on_error):
        async with AsyncReader(path, on_error=on_error) as reader:
            got = [sample["label"] async for sample in reader.samples()]
            assert got == [i for i in range(N) if i not in BAD]
            return reader.stats()

    assert arun(main("skip")).skipped == len(BAD)
    assert arun(main(Quarantine(tmp_path / "bad.jsonl"))).skipped == len(BAD)
    stats = arun(main(Quarantine(tmp_path / "bad.jsonl")))
    assert (stats.skipped, stats.listed) == (0, len(BAD))


def test_single_samples_raise(arun, path):
    async def main():
        async with AsyncReader(path, on_error="skip") as reader:
            with pytest.raises(CorruptSampleError, match="sample 13 "):
                await reader.get(13)
            with pytest.raises(CorruptSampleError, match="sample 13 "):
                await reader.get_many([13, 12])

    arun(main())


def test_a_function_is_asked_in_the_thread_of_the_loop(arun, path):
    async def main():
        threads = set()
        async with AsyncReader(path, on_error=lambda _: threads.add(threading.get_ident())) as reader:
            async for _ in reader.batches(N, shuffle=True):
                pass
        assert threads == {threading.get_ident()}

    arun(main())


def test_leaving_and_cancelling_while_a_batch_is_rescued_leaves_nothing(arun, path):
    async def main():
        async with AsyncReader(path, on_error="skip") as reader:
            for delay in (0, 0.0001, 0.001):
                stream = reader.batches(N)
                task = asyncio.create_task(anext(stream))
                await asyncio.sleep(delay)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await stream.aclose()
                del stream, task
            assert [b.indices.tolist() async for b in reader.batches(8)] == blocking(path, 8)

    arun(main())


# -- storage that fails in places

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>

/* Whether a read touches the bytes BAD_START..BAD_STOP of the file BAD_INODE. */
static int is_bad(int fd, off_t at, size_t n) {
    struct stat s;
    const char *inode = getenv("BAD_INODE");
    if (inode == NULL || fstat(fd, &s) < 0 || s.st_ino != strtoull(inode, NULL, 10)) return 0;
    off_t start = strtoll(getenv("BAD_START"), NULL, 10), stop = strtoll(getenv("BAD_STOP"), NULL, 10);
    return at < stop && at + (off_t)n > start;
}
static size_t total(const struct iovec *v, int n) { size_t t = 0; while (n-- > 0) t += v[n].iov_len; return t; }
#define NEXT(name) static __typeof__(name) *next; if (next == NULL) next = dlsym(RTLD_NEXT, #name);
/* Files of network file systems are read, those of local ones may be mapped. */
int fstatfs(int fd, struct statfs *s) {
    NEXT(fstatfs) int status = next(fd, s); s->f_type = 0x6969; return status;
}
int fstatfs64(int fd, struct statfs64 *s) {
    NEXT(fstatfs64) int status = next(fd, s); s->f_type = 0x6969; return status;
}
ssize_t pread(int fd, void *b, size_t n, off_t at) {
    NEXT(pread) if (is_bad(fd, at, n)) { errno = EBADMSG; return -1; } return next(fd, b, n, at);
}
ssize_t pread64(int fd, void *b, size_t n, off_t at) {
    NEXT(pread64) if (is_bad(fd, at, n)) { errno = EBADMSG; return -1; } return next(fd, b, n, at);
}
ssize_t preadv(int fd, const struct iovec *v, int n, off_t at) {
    NEXT(preadv) if (is_bad(fd, at, total(v, n))) { errno = EBADMSG; return -1; } return next(fd, v, n, at);
}
ssize_t preadv64(int fd, const struct iovec *v, int n, off_t at) {
    NEXT(preadv64) if (is_bad(fd, at, total(v, n))) { errno = EBADMSG; return -1; } return next(fd, v, n, at);
}
ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags) {
    NEXT(preadv2) if (is_bad(fd, at, total(v, n))) { errno = EBADMSG; return -1; } return next(fd, v, n, at, flags);
}
ssize_t preadv64v2(int fd, const struct iovec *v, int n, off_t at, int flags) {
    NEXT(preadv64v2) if (is_bad(fd, at, total(v, n))) { errno = EBADMSG; return -1; } return next(fd, v, n, at, flags);
}
"""

SCRIPT = """
import asyncio, errno, os, sys
from ddfast import AsyncReader, MsgpackReader
path, start, stop = sys.argv[1:]
os.environ.update(BAD_INODE=str(os.stat(path).st_ino), BAD_START=start, BAD_STOP=stop)
def check(reader):
    assert all(bad.error.errno == errno.EBADMSG for bad in reader.quarantine)
    return sorted(bad.index for bad in reader.quarantine)
found = []
for batch_size in (1, 7, 200):
    for raw in (False, True):
        with MsgpackReader(path, on_error="skip") as reader:
            got = [i for b in reader.batches(batch_size, raw=raw) for i in b.indices.tolist()]
            found.append((len(got), check(reader)))
async def main():
    async with AsyncReader(path, on_error="skip") as reader:
        got = [i async for b in reader.batches(16) for i in b.indices.tolist()]
        found.append((len(got), check(reader)))
asyncio.run(main())
assert all(item == found[0] for item in found), found
print(found[0])
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


AGAIN = """
import os, sys
os.environ["LD_PRELOAD"] = sys.argv[1]
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def unreadable(run_python, shim, path, start, stop):
    """What readers skip of a file that has bytes which cannot be read: (samples left, indices of the others)."""
    done = run_python("-c", AGAIN, str(shim), "-c", SCRIPT, str(path), str(start), str(stop))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_samples_in_an_unreadable_stretch_are_left_out(tmp_path, shim, run_python):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    offsets = offsets_of(path)
    out = unreadable(run_python, shim, path, offsets[30] + 1, offsets[32] + 1)
    assert out == "(117, [30, 31, 32])"


def test_an_unreadable_sample_costs_its_neighbours_nothing(tmp_path, shim, run_python):
    """One read for all of them fails; those of their own do not."""
    path = write(tmp_path / "x.msgpack", [{"key": str(i), "x": bytes(50)} for i in range(20)])
    offsets = offsets_of(path)
    assert unreadable(run_python, shim, path, offsets[7], offsets[8]) == "(19, [7])"


ASYNC_PASSES = {
    "batches": lambda reader: reader.batches(4),
    "shuffled": lambda reader: reader.batches(4, shuffle=True),
    "samples": lambda reader: reader.samples(),
    "raw batches": lambda reader: reader.batches(4, columns=()),
}


@pytest.mark.parametrize("ends", [StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("name", list(ASYNC_PASSES))
def test_an_on_error_that_raises_the_end_of_an_iterator_does_not_end_the_pass(arun, path, name, ends):
    def on_error(bad):
        raise ends

    async def main():
        async with AsyncReader(path, on_error=on_error) as reader:
            with pytest.raises(
                CallbackError, match=f"on_error raised {ends.__name__} for sample .* complete"
            ):
                async for _ in ASYNC_PASSES[name](reader):
                    pass

    arun(main())


@pytest.mark.parametrize("ends", [StopIteration, StopAsyncIteration])
def test_an_on_error_for_a_refused_pickle_does_not_end_the_samples(arun, tmp_path, ends):
    """Samples are well-formed, and refused only when they are decoded."""
    samples = [{"key": str(i), "i": i} for i in range(5)]
    samples[2]["i"] = np.array([{}], object)
    path = write(tmp_path / "pickle.msgpack", samples)

    def on_error(bad):
        raise ends

    async def main():
        async with AsyncReader(path, on_error=on_error) as reader:
            with pytest.raises(CallbackError, match=f"on_error raised {ends.__name__} for sample 2"):
                async for _ in reader.samples():
                    pass

    arun(main())


def test_an_on_error_that_starts_a_pass_is_refused(arun, path):
    def on_error(bad):
        with MsgpackReader(path, on_error=on_error) as reader:
            list(reader)

    async def main():
        async with AsyncReader(path, on_error=on_error) as reader:
            with pytest.raises(
                CallbackError, match=r"on_error was called for sample 0 of .* while it was running"
            ):
                async for _ in reader.batches(4):
                    pass

    arun(main())
