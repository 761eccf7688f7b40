"""What a program imports on its way to the first sample; most of that time would go to numpy."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import write

import ddfast
import ddfast.errors
import ddfast.reader
import ddfast.recovery
import ddfast.tools
import ddfast.writer

READ = """
import sys
before = set(sys.modules)
from ddfast import MsgpackReader
with MsgpackReader("x.msgpack") as reader:
    {read}
print(*sorted({{"numpy", "msgpack", "simplebloom", "hashlib", "zipfile", "ast"}} & (set(sys.modules) - before)))
"""


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize(
    "read",
    [
        "sample = next(iter(reader))",
        "sample = reader.get(1)",
        "sample = reader['b' in reader]",
        "list(reader.iter(raw=True))",
    ],
)
def test_samples_without_arrays_are_read_without_slow_imports(tmp_path, run_python, read, size):
    write(tmp_path / "x.msgpack", [{"key": key, "image": b"x" * size, "n": 1.5} for key in "abc"], "ddfast")
    result = run_python("-c", READ.format(read=read))
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "\n")


def test_numpy_is_imported_with_the_first_array(tmp_path, run_python):
    write(
        tmp_path / "x.msgpack", [{"key": "a", "x": np.arange(3)}, {"key": "b", "x": np.float32(2)}], "ddfast"
    )
    result = run_python("-c", READ.format(read="assert [s['x'].sum() for s in reader] == [3, 2]"))
    assert (result.returncode, result.stderr, result.stdout.split()[-1]) == (0, "", "numpy")


@pytest.mark.parametrize(
    "package",
    [ddfast, ddfast.reader, ddfast.recovery, ddfast.tools, ddfast.writer],
    ids=lambda package: package.__name__,
)
def test_every_name_of_a_package_is_there_when_it_is_used(package):
    assert set(package.__all__) == set(dir(package))
    assert all(
        getattr(package, name).__name__ for name in package.__all__ if callable(getattr(package, name))
    )
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_the_error_of_archives_is_one_of_the_errors():
    assert issubclass(ddfast.errors.CorruptArchiveError, ddfast.errors.CorruptSampleError)
    with pytest.raises(AttributeError, match=r"'ddfast\.errors' has no attribute 'nothing'"):
        ddfast.errors.nothing  # noqa: B018
