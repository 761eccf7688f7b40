"""Whole passes over a mounted file system that fails: every sample comes, or an error in time, and nothing is left."""

import errno
import json
import os

import pytest
from datasets import write
from failing_storage import build

N = 300
SAMPLES = [{"key": str(i), "label": i, "image": bytes([i % 251]) * (500 + i)} for i in range(N)]

PASS = """
import asyncio, gc, json, os, sys, time
from ddfast import AsyncReader, MsgpackReader
path, options, faults = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])

def left():
    gc.collect()
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

async def read():
    async with AsyncReader(path, **options) as reader:
        async for batch in reader.batches(16, shuffle=True, seed=1):
            for sample in batch:
                assert sample["image"] == bytes([sample["label"] % 251]) * (500 + sample["label"])
            labels.extend(batch["label"].tolist())

def outcome():
    try:
        asyncio.run(read())
    except Exception as error:
        return [type(error).__name__, getattr(error, "errno", None), path in str(error)]
    return sorted(labels) == list(range(int(sys.argv[4])))

labels = []
os.environ.update(faults)
before, started = left(), time.monotonic()
result = outcome()
print(json.dumps({"result": result, "seconds": time.monotonic() - started}))
assert left() == before, (left(), before)
"""

GET = """
import os, sys, json
from ddfast import MsgpackReader
os.environ.update(json.loads(sys.argv[3]))
with MsgpackReader(sys.argv[1]) as reader:
    print(json.dumps([reader[i]["label"] for i in range(20)] == list(range(20))))
"""

AGAIN = """
import os, sys
os.environ["LD_PRELOAD"] = sys.argv[1]
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("far")) or pytest.skip("needs a C compiler")


@pytest.fixture
def run_far(tmp_path, library, run_python):
    """``run_far(script, options, FAR_ERRNO=5, ...)``: what the script prints where storage fails like that."""
    path = write(tmp_path / "x.msgpack", SAMPLES, "ddfast")

    def run(script, options=None, **faults):
        settings = {"FAR_INODE": path.stat().st_ino, "FAR_FIRST": 10, **faults}
        texts = json.dumps({name: str(value) for name, value in settings.items()})
        done = run_python(
            "-c", AGAIN, str(library), "-c", script, str(path), json.dumps(options or {}), texts, str(N)
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN])
def test_errors_that_pass_are_not_seen(run_far, number):
    assert run_far(PASS, FAR_ERRNO=number, FAR_COUNT=20)["result"] is True


def test_short_reads_are_completed(run_far):
    assert run_far(PASS, FAR_SHORT=1, FAR_COUNT=1000)["result"] is True


def test_a_read_that_hangs_for_a_while_is_waited_for(run_far):
    assert run_far(PASS, FAR_HANG_MS=1500, FAR_COUNT=3)["result"] is True


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_storage_that_is_gone_is_told_in_time_with_the_path(run_far, number):
    outcome = run_far(PASS, FAR_ERRNO=number, FAR_COUNT=1 << 30)
    assert outcome["result"] == ["ReadError", number, True]
    assert outcome["seconds"] < 30


def test_storage_that_hangs_beyond_the_timeout_is_told(run_far):
    outcome = run_far(PASS, {"timeout": 0.5}, FAR_HANG_MS=2500, FAR_COUNT=1 << 30)
    assert outcome["result"] == ["StorageTimeoutError", None, True]


def test_what_cannot_pass_is_told_at_once(run_far):
    outcome = run_far(PASS, FAR_ERRNO=errno.EACCES, FAR_COUNT=1 << 30)
    assert outcome["result"] == ["ReadError", errno.EACCES, True]


def test_single_samples_are_read_again_too(run_far):
    assert run_far(GET, FAR_FIRST=2, FAR_ERRNO=errno.EIO, FAR_COUNT=3) is True


@pytest.mark.skipif(
    "DDFAST_FAR_MOUNT" not in os.environ, reason="DDFAST_FAR_MOUNT names no folder on a far mount"
)
def test_a_far_mount_gives_what_was_written(arun, tmp_path):
    """The folder is writable, or has x.msgpack of these samples."""
    from pathlib import Path

    from ddfast import AsyncReader

    path = Path(os.environ["DDFAST_FAR_MOUNT"], "x.msgpack")
    if not path.exists():
        write(path, SAMPLES, "ddfast")

    async def main():
        async with AsyncReader(path) as reader:
            return [label async for batch in reader.batches(16) for label in batch["label"].tolist()]

    assert arun(main()) == list(range(N))
