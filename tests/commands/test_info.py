"""The command ddfast-info: sizes from the index, fields from a few samples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from datasets import beside, damage, offsets_of, some_samples, write, write_checksums, write_legacy

from ddfast.commands import __main__ as command
from ddfast.commands.info import FIELDS_SHOWN, info

SAMPLES = some_samples(300)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("info") / "x.msgpack", SAMPLES)


def run(*argv):
    return command.main(["info", *map(str, argv)])


def kinds(found, field):
    return [(kind.type, kind.count, kind.low, kind.high) for kind in found.fields[field]]


def test_sizes_are_those_of_the_offsets(path):
    sizes = np.diff(offsets_of(path))
    found = info([path])
    assert found.samples == 300
    assert found.bytes == path.stat().st_size
    expected = {"min": sizes.min(), "mean": sizes.mean(), "median": np.median(sizes), "max": sizes.max()}
    assert found.sizes == pytest.approx(expected)


@pytest.mark.parametrize("spread", [1, 3, 1000])
def test_histogram_counts_every_sample_once(tmp_path, spread):
    samples = [{"key": f"{i}", "b": bytes(i * spread)} for i in range(100)]
    path = write(tmp_path / "x.msgpack", samples)
    sizes = np.diff(offsets_of(path))
    histogram = info([path]).histogram
    for low, high, count in histogram:
        assert count == ((sizes >= low) & (sizes < high)).sum()
    assert sum(count for *_, count in histogram) == 100
    assert len(histogram) <= 10
    assert histogram[0][0] == sizes.min()


def test_equal_sizes_are_one_bin(tmp_path):
    path = write(tmp_path / "x.msgpack", [{"key": "a"}, {"key": "b"}])
    assert info([path]).histogram == [(7, 8, 2)]


def test_fields_have_types_and_shapes(path):
    found = info([path])
    assert found.sampled == 300
    assert kinds(found, "label") == [("int", 300, None, None)]
    assert kinds(found, "array") == [("ndarray float32", 300, (0,), (3,))]
    assert kinds(found, "image") == [("bytes", 300, (0,), (199 * 37,))]
    assert kinds(found, "scalar") == [("float32", 300, None, None)]
    assert kinds(found, "nested") == [("dict", 300, (2,), (2,))]


def test_checksums_are_among_the_files(tmp_path, capsys):
    path = write_checksums(write(tmp_path / "x.msgpack", SAMPLES))
    assert run(path) == 0
    assert ".xxh3 2,400" in capsys.readouterr().out


def test_mixed_fields_list_every_kind(tmp_path):
    samples = [
        {"key": "a", "x": np.zeros((2, 3))},
        {"key": "b", "x": np.zeros((4, 1))},
        {"key": "c", "x": np.zeros(5)},
        {"key": "d", "x": None},
        {"key": "e", 7: "text"},
    ]
    found = info([write(tmp_path / "x.msgpack", samples)])
    assert kinds(found, "x") == [
        ("ndarray float64", 2, (2, 1), (4, 3)),
        ("ndarray float64", 1, (5,), (5,)),
        ("None", 1, None, None),
    ]
    assert kinds(found, "7") == [("str", 1, (4,), (4,))]


def test_sampled_samples_are_spread_evenly(path, monkeypatch):
    from ddfast.reader import MsgpackReader

    asked = []
    get = MsgpackReader.get_many
    monkeypatch.setattr(MsgpackReader, "get_many", lambda self, some: asked.extend(some) or get(self, some))
    assert info([path], samples=4).sampled == 4
    assert asked == [0, 99, 199, 299]


def test_report_reads_well(path, capsys):
    assert run(path, "--samples", 100) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}: 300 samples, {path.stat().st_size:,} bytes"
    assert lines[1].startswith("  index files, bytes: .offsets 2,408, .keys ")
    assert lines[1].endswith("; with .md5")
    assert lines[2] == "  keys: 'sample 0 ß', 'sample 1 ß', ..., 'sample 299 ß'"
    assert lines[4].startswith("bytes per sample: min ")
    assert max(line.count("#") for line in lines) == 40
    assert "fields of 100 of 300 samples:" in lines
    assert "  label   all  int" in lines
    assert "  array   all  ndarray float32 (0 to 3,)" in lines
    assert "  nested  all  dict, 2 items" in lines


def test_json_holds_all_of_it(path, capsys):
    assert run("--json", path) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["samples"] == result["sampled"] == 300
    assert result["fields"]["label"] == [{"type": "int", "count": 300, "low": None, "high": None}]
    assert result["shards"][0]["index"]["x.msgpack.offsets"] == 301 * 8
    assert sum(bin["samples"] for bin in result["histogram"]) == 300


def test_shards_are_summed(tmp_path, capsys):
    for i in range(3):
        write(tmp_path / f"{i}.msgpack", [{"key": f"{i}{j}", f"only {i}": j} for j in range(i)])
    assert run(tmp_path / "*.msgpack") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{tmp_path / '1.msgpack'}: 1 samples, 16 bytes"
    assert lines[3] == "together: 3 files, 3 samples, 48 bytes"
    found = info(sorted(tmp_path.glob("*.msgpack")))
    assert kinds(found, "only 2") == [("int", 2, None, None)]


def test_kinds_of_all_shards_are_merged(tmp_path):
    values = [[1, "a" * 3, np.zeros((2, 5))], ["a" * 9, 7, np.zeros((3, 4))], [None]]
    for i, shard in enumerate(values):
        write(tmp_path / f"{i}.msgpack", [{"key": f"{i}{j}", "x": x} for j, x in enumerate(shard)])
    assert kinds(info(sorted(tmp_path.glob("*.msgpack"))), "x") == [
        ("int", 2, None, None),
        ("str", 2, (3,), (9,)),
        ("ndarray float64", 2, (2, 4), (3, 5)),
        ("None", 1, None, None),
    ]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_shards_that_cannot_be_read_are_named_and_left_out(tmp_path, capsys, options):
    for i in range(4):
        write(tmp_path / f"{i}.msgpack", [{"key": f"{i}{j}"} for j in range(4)])
    beside(tmp_path / "1.msgpack", ".offsets").write_bytes(b"odd")
    beside(tmp_path / "2.msgpack", ".offsets").unlink()
    assert run(tmp_path / "nowhere", tmp_path / "*.msgpack", *options) == 1
    out, err = capsys.readouterr()
    assert "together: 2 files, 8 samples" in out or json.loads(out)["samples"] == 8
    for name, line in zip(["nowhere", "1.msgpack", "2.msgpack"], err.splitlines(), strict=True):
        assert str(tmp_path / name) in line
    assert run(tmp_path / "nowhere", *options) == 1
    assert capsys.readouterr().out == ""


def test_samples_of_many_different_fields_are_described(tmp_path, capsys):
    path = write(tmp_path / "x", [{"key": f"{i}", **{f"f{i}_{j}": j for j in range(50)}} for i in range(100)])
    assert run(path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"  and {5001 - FIELDS_SHOWN:,} more fields; --json lists all"
    assert run(path, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["fields"]) == 5001


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_long_names_are_shortened(tmp_path, capsys, options):
    path = write(tmp_path / "x", [{"key": "k" * 10**6, "n" * 10**6: "x" * 10**6}], "ddfast")
    assert run(path, *options) == 0
    out = capsys.readouterr().out
    assert len(out) < 3000
    assert "kk...(1,000,000 characters)...kk" in out
    assert "nn...(1,000,000 characters)...nn" in out


def test_empty_dataset_has_neither_sizes_nor_fields(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", [])
    assert run(path) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{path}: 0 samples, 0 bytes"
    assert run("--json", path) == 0


def test_missing_files_are_seen_without_warnings(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    for suffix in (".keys", ".md5"):
        beside(path, suffix).unlink()
    assert run(path) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert ".keys" not in captured.out
    assert "no .md5" in captured.out


def test_legacy_dataset_is_read_too(tmp_path, capsys):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    assert run(path) == 0
    out = capsys.readouterr().out
    assert "300 samples" in out
    assert ".index" in out


def test_samples_that_cannot_be_decoded_are_told(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", [{"key": "a"}, {"key": "b"}])
    damage(path, 1)
    assert run(path) == 0
    assert "1 cannot be decoded; first error: " in capsys.readouterr().out


def test_samples_beside_one_that_cannot_be_decoded_are_counted(tmp_path):
    path = write(tmp_path / "x.msgpack", [{"key": str(i)} for i in range(5)])
    damage(path, 2)
    found = info([path])
    assert (found.sampled, len(found.unreadable), found.fields["key"][0].count) == (5, 1, 4)


def test_samples_too_large_to_be_read_together_are_read_all(tmp_path, monkeypatch):
    monkeypatch.setattr("ddfast.commands._survey.TOGETHER", 50)
    samples = [{"key": str(i), "data": b"x" * (10 * i)} for i in range(20)]
    found = info([write(tmp_path / "x.msgpack", samples)])
    assert kinds(found, "data") == [("bytes", 20, (0,), (190,))]


def test_missing_index_is_told_with_the_way_out(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    beside(path, ".offsets").unlink()
    assert run(path) == 1
    assert (
        capsys.readouterr().err == f"ddfast info: {path} has no index. Make one with `ddfast index {path}`\n"
    )


def test_missing_file_is_one_line(tmp_path, capsys):
    assert run(tmp_path / "none") == 1
    assert capsys.readouterr().err == f"ddfast info: {tmp_path / 'none'} not found\n"


@pytest.mark.parametrize("argv", [[], ["x", "--samples", "0"], ["x", "--unknown"]], ids=str)
def test_wrong_arguments_end_with_usage(argv, capsys):
    with pytest.raises(SystemExit) as end:
        run(*argv)
    assert end.value.code == 2
    assert "usage: ddfast info" in capsys.readouterr().err
