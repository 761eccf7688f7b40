"""Whole passes over a failing mount: samples are right, or an error comes in time, and no resource is leaked."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import failing_passes
import pytest
from datasets import write
from failing_storage import build

import ddfast

N = 300
SAMPLES = [{"key": str(i), "label": i, "image": bytes([i % 251]) * (500 + i)} for i in range(N)]
ALWAYS = 1 << 30

PASSING = {
    "EIO": {"FAR_ERRNO": errno.EIO, "FAR_COUNT": 20},
    "ESTALE": {"FAR_ERRNO": errno.ESTALE, "FAR_COUNT": 20},
    "ETIMEDOUT": {"FAR_ERRNO": errno.ETIMEDOUT, "FAR_COUNT": 20},
    "ENOTCONN": {"FAR_ERRNO": errno.ENOTCONN, "FAR_COUNT": 20},
    "short reads": {"FAR_SHORT": 1, "FAR_COUNT": 1000},
    "a pause": {"FAR_HANG_MS": 300, "FAR_COUNT": 3},
}
GONE = {"EIO": errno.EIO, "ESTALE": errno.ESTALE}

# What is read, options of the reader, faults. One process runs them all, as most of the time is that of its start.
PASSES = {
    **{name: ("pass", {}, faults) for name, faults in PASSING.items()},
    **{f"gone: {name}": ("pass", {}, {"FAR_ERRNO": n, "FAR_COUNT": ALWAYS}) for name, n in GONE.items()},
    "hangs": ("pass", {"timeout": 0.3}, {"FAR_HANG_MS": 1000, "FAR_COUNT": ALWAYS}),
    "denied": ("pass", {}, {"FAR_ERRNO": errno.EACCES, "FAR_COUNT": ALWAYS}),
    "samples": ("samples", {}, {"FAR_FIRST": 2, "FAR_ERRNO": errno.EIO, "FAR_COUNT": 3}),
    "replaced": ("replaced", {}, {"FAR_FIRST": 2, "FAR_ERRNO": errno.ESTALE, "FAR_COUNT": 3}),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Result, duration in seconds and number of failed reads of each pass, by its name."""
    folder = tmp_path_factory.mktemp("far")
    library = build(folder) or pytest.skip("needs a C compiler")
    path = write(folder / "x.msgpack", SAMPLES, "ddfast")
    env = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(Path(ddfast.__file__).parent.parent)}
    job = json.dumps({"path": str(path), "n": N, "passes": PASSES})
    command = [sys.executable, failing_passes.__file__, job]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_not_seen(outcomes, name):
    result, _, failed = outcomes[name]
    assert result is True
    assert failed > 0


@pytest.mark.parametrize("name", GONE)
def test_storage_that_is_gone_is_told_in_time_with_the_path(outcomes, name):
    (error, number, message), seconds, _ = outcomes[f"gone: {name}"]
    assert (error, number) == ("ReadError", GONE[name])
    assert "x.msgpack" in message
    assert seconds < 30


def test_storage_that_hangs_beyond_the_timeout_is_told(outcomes):
    (error, _, message), _, _ = outcomes["hangs"]
    assert error == "StorageTimeoutError"
    assert "x.msgpack: no read has completed for 0.3 s" in message


def test_what_cannot_pass_is_told_at_once(outcomes):
    (error, number, message), _, _ = outcomes["denied"]
    assert (error, number) == ("ReadError", errno.EACCES)
    assert "x.msgpack" in message


def test_single_samples_are_read_again_too(outcomes):
    result, _, failed = outcomes["samples"]
    assert result is True
    assert failed == 3


def test_a_file_of_equal_size_that_took_the_place_is_refused_when_opened_again(outcomes):
    (error, _, message), _, _ = outcomes["replaced"]
    assert error == "DatasetChangedError"
    assert "was replaced by a file of the same size after it was opened" in message


@pytest.mark.skipif(
    "DDFAST_MOUNT" not in os.environ, reason="DDFAST_MOUNT names no folder on a network mount"
)
def test_a_mount_gives_what_was_written(arun):
    """The folder is writable, or has x.msgpack of these samples."""
    path = Path(os.environ["DDFAST_MOUNT"], "x.msgpack")
    if not path.exists():
        write(path, SAMPLES, "ddfast")

    async def main():
        async with ddfast.AsyncReader(path) as reader:
            return [label async for batch in reader.batches(16) for label in batch["label"].tolist()]

    assert arun(main()) == list(range(N))
