"""Datasets for tests: written by datadings or ddfast, in the layout of today or of old, and damaged."""

import os
import struct
from itertools import pairwise
from pathlib import Path

import datadings.writer
import msgpack
import numpy as np
import xxhash

import ddfast.writer

WRITERS = {"datadings": datadings.writer.FileWriter, "ddfast": ddfast.writer.FileWriter}
SUFFIXES = (".offsets", ".keys", ".key_hashes", ".filter")


def some_samples(count=10):
    """Samples of all sorts and of different sizes, with keys beyond ASCII."""
    return [
        {
            "key": f"sample {i} ß",
            "label": i,
            "image": bytes([i % 256]) * (i % 200 * 37),
            "array": np.arange(i % 4, dtype=np.float32),
            "nested": {"list": [1.5, None, i], 7: {"deep": 2j}},
            "scalar": np.float32(i),
        }
        for i in range(count)
    ]


def write(path, samples, writer="datadings"):
    """Write samples. Returns the path."""
    with WRITERS[writer](path, overwrite=True, disable=True) as opened:
        for sample in samples:
            opened.write(sample)
    return path


def write_legacy(path, samples, remove=True):
    """Write samples with the index of old: one message, a map from key to offset."""
    write(path, samples)
    index = beside(path, ".index")
    index.write_bytes(msgpack.packb(dict(zip(keys_of(samples), offsets_of(path)[:-1], strict=True))))
    if remove:
        for suffix in SUFFIXES:
            beside(path, suffix).unlink()
    md5 = beside(path, ".md5")
    kept = [line for line in md5.read_text().splitlines() if line.endswith(path.name)]
    md5.write_text("\n".join([*kept, f"{md5_of(index)}  {index.name}", ""]))
    return path


def md5_of(path):
    import hashlib

    return hashlib.md5(path.read_bytes()).hexdigest()


def keys_of(samples):
    return [sample["key"] for sample in samples]


def beside(path, suffix):
    """A file of the index."""
    return Path(f"{path}{suffix}")


def offsets_of(path):
    """Offsets as a list of int."""
    return np.fromfile(beside(path, ".offsets"), ">u8").tolist()


def write_offsets(path, offsets):
    beside(path, ".offsets").write_bytes(struct.pack(f">{len(offsets)}Q", *offsets))


def write_checksums(path):
    """Write the checksums of all samples, as another implementation makes them. Returns the path."""
    offsets, data = offsets_of(path), path.read_bytes()
    sums = [xxhash.xxh3_64_intdigest(data[a:b]) for a, b in pairwise(offsets)]
    beside(path, ".xxh3").write_bytes(struct.pack(f">{len(sums)}Q", *sums))
    return path


def overwrite(path, at, data):
    """Change bytes of a file in place."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def damage(path, index, at=0, data=b"\xc1"):
    """Change bytes of one sample in place. Returns where in the file."""
    position = offsets_of(path)[index] + at
    overwrite(path, position, data)
    return position


def replace(path, other):
    """Put another dataset's files in the place of this one's, by renaming."""
    for suffix in ("", *SUFFIXES, ".md5"):
        beside(other, suffix).replace(beside(path, suffix))


def threads():
    """Threads of this process."""
    return sorted(path.name for path in Path("/proc/self/task").iterdir())


def descriptors():
    """Open files of this process: (descriptor, what it is)."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # iterdir holds a descriptor longer
        try:
            found.add((name, str(Path(f"/proc/self/fd/{name}").readlink())))
        except FileNotFoundError:
            continue  # the one that listed them
    return found
