"""Files that datadings 3.4.7 wrote once are read as they are."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from datasets import keys_of, write

from ddfast import AsyncReader, MsgpackReader
from ddfast.testing import assert_same_sample

GOLDEN = Path(__file__).parent / "golden"
SUFFIXES = ("", ".offsets", ".keys", ".key_hashes", ".filter", ".md5")


def samples():
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SAMPLES


def test_golden_samples_are_read():
    with MsgpackReader(GOLDEN / "golden.msgpack") as reader:
        assert_same_sample(list(reader), samples())
        assert list(reader.keys()) == keys_of(samples())
        assert [reader.find_index(key) for key in keys_of(samples())] == list(range(8))
        assert reader.verify_data()
        assert reader.verify_index()


def test_golden_samples_are_read_asynchronously(arun):
    async def main():
        async with AsyncReader(GOLDEN / "golden.msgpack") as reader:
            return [sample async for batch in reader.batches(3) for sample in batch]

    assert_same_sample(arun(main()), samples())


def test_golden_samples_are_read_by_the_index_of_old(tmp_path):
    path = tmp_path / "legacy.msgpack"
    shutil.copy(GOLDEN / "golden.msgpack", path)
    shutil.copy(GOLDEN / "legacy.index", tmp_path / "legacy.msgpack.index")
    with MsgpackReader(path) as reader:
        assert_same_sample(list(reader), samples())
        assert list(reader.keys()) == keys_of(samples())


@pytest.mark.parametrize("writer", ["datadings", "ddfast"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_golden_samples_are_written_byte_for_byte(tmp_path, writer, suffix):
    path = write(tmp_path / "golden.msgpack", samples(), writer)
    assert Path(f"{path}{suffix}").read_bytes() == Path(f"{GOLDEN / 'golden.msgpack'}{suffix}").read_bytes()
