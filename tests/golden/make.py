"""Write the golden files again: ``python tests/golden/make.py``, with datadings 3.4.7 installed.

They show that what datadings wrote once is read for ever, whatever version is installed beside the tests.
"""

from pathlib import Path

import msgpack
import numpy as np

HERE = Path(__file__).parent

SAMPLES = [
    {"key": "empty"},
    {"key": "plain", "int": -7, "big": 2**64 - 1, "float": 1.5, "none": None, "yes": True, "text": "äöü",
     "bytes": b"\x00\xff"},
    {"key": "nested", "list": [1, [2, {"three": 3}]], "map": {1: "one", b"two": 2.0}},
    {"key": "arrays", "zero": np.array(3, ">i4"), "matrix": np.arange(6, dtype=np.float32).reshape(2, 3)},
    {"key": "records", "r": np.array([(1, 2.5), (3, 4.5)], [("a", "<u2"), ("b", "<f8")])},
    {"key": "scalars", "f": np.float16(0.5), "i": np.int64(-1), "c": 1 - 2j, "z": np.complex64(3j)},
    {"key": "special", "ext": msgpack.ExtType(5, b"five"), "time": msgpack.Timestamp(1, 500)},
    {"key": "schlüssel \N{SNOWMAN}", "x": np.zeros((0, 4), np.uint8)},
]  # fmt: skip


def main() -> None:
    """Write the dataset in the layout of today, and its index in that of old."""
    from datadings.writer import FileWriter

    with FileWriter(HERE / "golden.msgpack", overwrite=True, disable=True) as writer:
        for sample in SAMPLES:
            writer.write(sample)
    offsets = np.fromfile(HERE / "golden.msgpack.offsets", ">u8").tolist()
    index = {sample["key"]: offset for sample, offset in zip(SAMPLES, offsets, strict=False)}
    (HERE / "legacy.index").write_bytes(msgpack.packb(index))


if __name__ == "__main__":
    main()
