"""Single samples and short runs, straight from the file."""

import threading

import msgpack
import numpy as np
import pytest

from ddfast._native.decode import Decoder
from ddfast._native.file import File
from ddfast._native.offsets import OffsetTable
from ddfast._native.samples import Samples
from ddfast._native.shards import Shards
from ddfast._native.status import E_CHANGED, E_EOF, E_SPAN
from ddfast.errors import KernelError

LARGE = 150_000


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def noise(size, seed=0):
    return np.random.default_rng(seed).bytes(size)


def write(folder, packed, offsets=None):
    path = folder / "x.msgpack"
    path.write_bytes(b"".join(packed))
    if offsets is None:
        offsets = np.concatenate([[0], np.cumsum([len(p) for p in packed])])
    table = OffsetTable(np.asarray(offsets, ">u8").tobytes(), path.stat().st_size)
    return Samples(Shards.one(File(path), table), Decoder(allow_pickle=False))


def image(key, size=LARGE, seed=0):
    return {"key": key, "image": noise(size, seed), "label": size % 1000}


LAYOUTS = {
    "as before": [image(f"k{i}", seed=i) for i in range(5)],
    "of another size": [image("k", LARGE + 1000 * i, seed=i) for i in range(5)],
    "moved by a longer key": [image("k" * (1 + i * 10), seed=i) for i in range(5)],
    "behind instead of before": [image("a"), dict(reversed(image("b").items())), image("c")],
    "gone": [image("a"), {"key": "b", "text": "x" * LARGE}, image("c")],
    "a string in its place": [image("a"), {"key": "b", "image": "y" * LARGE, "label": 1}, image("c")],
    "with more after it": [image("a"), {**image("b"), "more": [1, {"x": 2}]}, image("c")],
    "with more before it": [image("a"), {"more": [1, {"x": 2}], **image("b")}, image("c")],
    "twice": [
        image("a"),
        {**image("b"), "second": noise(LARGE)},
        image("c"),
        {**image("d"), "second": noise(LARGE)},
    ],
    "shrunk to nothing": [image("a"), image("b", 0), image("c", 33_000), image("d", 16_000), image("e")],
    "nested": [image("a"), {"key": "b", "in": {"image": noise(LARGE)}}, image("c")],
    "no map": [image("a"), [noise(LARGE)], noise(LARGE), "z" * LARGE, image("c")],
    "other keys": [image("a"), {1: noise(LARGE), "label": 3}, {b"image": noise(LARGE)}, image("c")],
}


def plain(packed):
    return [msgpack.unpackb(p, raw=False, strict_map_key=False) for p in packed]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("way", ["get", "decode_range", "backwards"])
def test_large_samples_are_those_that_plain_unpacking_gives(tmp_path, layout, way):
    packed = [pack(sample) for sample in layout]
    samples = write(tmp_path, packed)
    n = len(packed)
    for _ in range(2):
        if way == "get":
            got = [samples.get(i) for i in range(n)]
        elif way == "backwards":
            got = [samples.get(i) for i in reversed(range(n))][::-1]
        else:
            got = samples.decode_range(0, n)
        assert got == plain(packed)


def test_a_map_that_looks_like_an_array_becomes_one(tmp_path):
    array = np.arange(40_000, dtype=np.int32)
    packed = pack({b"nd": True, b"type": "<i4", b"kind": b"", b"shape": [40_000], b"data": array.tobytes()})
    samples = write(tmp_path, [pack(image("a")), packed, packed, pack(image("b"))])
    for _ in range(2):
        assert samples.get(0)["key"] == "a"
        assert np.array_equal(samples.get(1), array)
        assert np.array_equal(samples.get(2), array)
        assert samples.get(3)["key"] == "b"


def test_runs_equal_single_samples(tmp_path):
    packed = [pack({"i": i, "data": noise(i * 3, i)}) for i in range(200)]
    samples = write(tmp_path, packed)
    for start, stop in [(0, 1), (0, 200), (199, 200), (17, 60)]:
        assert samples.decode_range(start, stop) == plain(packed[start:stop])
        assert samples.raw_range(start, stop) == packed[start:stop]
        assert [bytes(v) for v in samples.raw_range(start, stop, copy=False)] == packed[start:stop]
    assert [samples.raw(i) for i in range(200)] == packed
    assert [samples.get(i) for i in range(200)] == plain(packed)


def test_a_run_fits_the_size_or_has_one_sample(tmp_path):
    sizes = np.random.default_rng(3).integers(1, 400, 300)
    samples = write(tmp_path, [pack(b"x" * int(s)) for s in sizes])
    ends = np.cumsum([len(samples.raw(i)) for i in range(300)])
    for start in (0, 7, 150, 299):
        before = ends[start - 1] if start else 0
        for size in (0, 1, 100, 1000, 5000, 10**9):
            fitting = int(np.searchsorted(ends - before, size, side="right"))
            for stop in (start + 1, min(start + 20, 300), 300):
                assert samples.fit(start, stop, size) == min(stop, max(start + 1, fitting))


@pytest.mark.parametrize("size", [10, LARGE])
def test_damaged_offsets_are_told_when_their_turn_comes(tmp_path, size):
    packed = [pack(noise(size, i)) for i in range(6)]
    length = len(packed[0])
    offsets = [i * length for i in range(7)]
    offsets[3] = 10 * length
    samples = write(tmp_path, packed, offsets)
    for read in (
        samples.get,
        samples.raw,
        lambda i: samples.decode_range(i, i + 1),
        lambda i: samples.raw_range(i, i + 1),
    ):
        for index in (2, 3):
            with pytest.raises(KernelError) as caught:
                read(index)
            assert caught.value.code == E_SPAN
    assert samples.decode_range(0, 6) == plain(packed[:2])
    assert samples.raw_range(0, 6) == packed[:2]
    assert samples.fit(0, 6, 10**9) >= 2
    assert samples.decode_range(4, 6) == plain(packed[4:])


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_damaged_sample_ends_a_run_early(tmp_path, size):
    packed = [pack({"data": noise(size, i)}) for i in range(5)]
    packed[3] = b"\xc1" + packed[3][1:]
    samples = write(tmp_path, packed)
    assert samples.decode_range(0, 5) == plain(packed[:3])
    for _ in range(2):
        with pytest.raises(KernelError) as caught:
            samples.decode_range(3, 5)
        assert caught.value.pos == 0
        assert samples.get(4) == plain(packed[4:])[0]


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_file_cut_in_place_is_told(tmp_path, size):
    packed = [pack({"data": noise(size, i)}) for i in range(5)]
    samples = write(tmp_path, packed)
    assert samples.decode_range(0, 5) == plain(packed)
    with (tmp_path / "x.msgpack").open("r+b") as file:
        file.truncate(len(packed[0]) * 4 + 3)
    for read in (
        samples.get,
        samples.raw,
        lambda i: samples.decode_range(i, i + 1),
        lambda i: samples.raw_range(i, i + 1),
    ):
        with pytest.raises(KernelError) as caught:
            read(4)
        assert caught.value.code in (E_EOF, E_CHANGED)


def test_indices_outside_are_refused(tmp_path):
    samples = write(tmp_path, [pack(1)])
    for index in (1, -1, 10**12):
        with pytest.raises((IndexError, KernelError)):
            samples.get(index)


def test_threads_may_share_samples(tmp_path):
    layout = [sample for group in LAYOUTS.values() for sample in group] + [{"i": i} for i in range(50)]
    packed = [pack(sample) for sample in layout]
    expected = plain(packed)
    samples = write(tmp_path, packed)
    wrong = []

    def work(seed):
        for index in np.random.default_rng(seed).integers(0, len(packed), 150).tolist():
            stop = min(index + 3, len(packed))
            if samples.get(index) != expected[index] or samples.raw(index) != packed[index]:
                wrong.append(index)
            if samples.decode_range(index, stop) != expected[index:stop]:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
