"""What a reader checks, as the table in docs/reliability.md says: by default, with checksums, and with digests."""

import numpy as np
import pytest
from datasets import beside, offsets_of, write

from ddfast import MsgpackReader
from ddfast.errors import CorruptSampleError, DdfastError

SAMPLES = [
    {"key": str(i), "text": "abc", "n": 1000 + i, "image": bytes([i]) * 50, "a": np.arange(4, dtype="f4")}
    for i in range(3)
]


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES, "ddfast")


def change(path, find, put):
    """Replace bytes of sample 1."""
    start, stop = offsets_of(path)[1:3]
    data = path.read_bytes()
    sample = data[start:stop].replace(find, put)
    assert len(sample) == stop - start
    assert sample != data[start:stop]
    path.write_bytes(data[:start] + sample + data[stop:])


DAMAGE = {
    "not well-formed": (b"\xa4text", b"\xc1text"),
    "an array that does not fit its data": (b"\xa3<f4", b"\xa3<f8"),
    "text that is not UTF-8": (b"\xa3abc", b"\xa3a\xffc"),
    "another text": (b"\xa3abc", b"\xa3abd"),
    "another number": (b"\xcd\x03\xe9", b"\xcd\x03\xe8"),
    "another byte of an image": (b"\x01" * 50, b"\x01" * 49 + b"\x00"),
}
WAYS = {
    "get": lambda reader: reader.get(1),
    "iteration": lambda reader: list(reader.iter(0)),
    "slice": lambda reader: list(reader.slice(1, 2)),
    "batches": lambda reader: list(reader.batches(3)),
    "get_many": lambda reader: reader.get_many([1]),
    "batches without columns": lambda reader: list(reader.batches(3, columns=())),
    "raw batches": lambda reader: list(reader.batches(3, raw=True)),
    "raw get": lambda reader: reader.get(1, raw=True),
    "raw iteration": lambda reader: list(reader.rawiter()),
}
SAMPLES_OF = {"get", "iteration", "slice"}
COLUMNS = {"batches", "get_many"}
RAW = {"raw batches", "raw get", "raw iteration"}

# Ways that find each damage without checksums.
FOUND = {
    "not well-formed": set(WAYS) - RAW,
    "an array that does not fit its data": SAMPLES_OF,
    "text that is not UTF-8": SAMPLES_OF | COLUMNS,
}


@pytest.mark.parametrize("damage", list(DAMAGE))
@pytest.mark.parametrize("way", list(WAYS))
def test_damage_is_found_as_documented(path, damage, way):
    change(path, *DAMAGE[damage])
    with MsgpackReader(path) as reader:
        if way in FOUND.get(damage, ()):
            with pytest.raises(CorruptSampleError, match=r"x\.msgpack: sample 1 \('1'\) is damaged"):
                WAYS[way](reader)
        else:
            WAYS[way](reader)
    with (
        MsgpackReader(path, verify="sample") as reader,
        pytest.raises(CorruptSampleError, match=r"sample 1 \('1'\) is damaged: .* do not have the checksum"),
    ):
        WAYS[way](reader)
    assert not reader.verify_data()
    assert reader.verify_index()


def test_an_array_of_a_batch_is_checked_when_it_is_taken(path):
    change(path, *DAMAGE["an array that does not fit its data"])
    with MsgpackReader(path) as reader:
        batch = reader.get_many([0, 1])
        assert batch["n"].tolist() == [1000, 1001]
        assert batch["a"][0].tolist() == [0, 1, 2, 3]
        with pytest.raises(DdfastError):
            batch["a"][1]


@pytest.mark.parametrize("verify", [None, "sample"])
def test_a_changed_key_is_found_by_digests_only(path, verify):
    keys = beside(path, ".keys")
    keys.write_bytes(keys.read_bytes().replace(b"\xa11", b"\xa17"))
    with MsgpackReader(path, verify=verify) as reader:
        assert reader.find_key(1) == "7"
        for way in WAYS.values():
            way(reader)
        assert not reader.verify_index()
        assert reader.verify_data()
