"""The command ddfast-verify: each kind of damage is found, named and placed."""

from __future__ import annotations

import json
import shutil

import msgpack
import numpy as np
import pytest
from datasets import (
    beside,
    damage,
    keys_of,
    md5_of,
    offsets_of,
    overwrite,
    some_samples,
    write,
    write_checksums,
    write_legacy,
    write_offsets,
)

from ddfast.commands import __main__ as command
from ddfast.commands.verify import verify
from ddfast.writer import RawWriter

SAMPLES = some_samples(30)
INDEX = [".offsets", ".keys", ".key_hashes", ".filter"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write(tmp_path_factory.mktemp("verify") / "x.msgpack", SAMPLES)


@pytest.fixture
def path(source, tmp_path):
    for file in source.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / source.name


@pytest.fixture
def other(tmp_path):
    """A dataset with as many samples, of the same sizes, but with other keys."""
    (tmp_path / "other").mkdir()
    samples = [{**sample, "key": sample["key"].replace("sample", "elpmas")} for sample in SAMPLES]
    return write(tmp_path / "other" / "x.msgpack", samples)


def run(*argv):
    try:
        return command.main(["verify", *map(str, argv)])
    except SystemExit as end:
        return end.code


def relist(path):
    """Make the MD5 file right for what the files are now."""
    files = [path, *(beside(path, suffix) for suffix in INDEX)]
    beside(path, ".md5").write_text("".join(f"{md5_of(f)}  {f.name}\n" for f in files if f.exists()))


def found(path, quick=False):
    """Findings: (suffix of the file, sample, problem)."""
    return [
        (finding.file.name.removeprefix(path.name), finding.sample, finding.problem)
        for finding in verify(path, quick).findings
    ]


@pytest.mark.parametrize("samples", [SAMPLES, [], [{"key": "one"}], [{"key": "big", "b": bytes(3 << 20)}]])
@pytest.mark.parametrize("writer", ["datadings", "ddfast"])
def test_sound_datasets_are_sound(tmp_path, capsys, samples, writer):
    path = write(tmp_path / "x.msgpack", samples, writer)
    assert run(path) == run("--quick", path) == 0
    line = f"{path}: intact ({len(samples):,} samples, {path.stat().st_size:,} bytes)\n"
    assert capsys.readouterr() == (2 * line, "")


def test_legacy_datasets_are_sound(tmp_path):
    assert found(write_legacy(tmp_path / "x.msgpack", SAMPLES)) == []


def test_legacy_index_is_held_against_the_samples(tmp_path):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    names = [*keys_of(SAMPLES)[:-1], "another"]
    index = msgpack.packb(dict(zip(names, [0, *offsets_of_legacy(path)[1:]], strict=True)))
    beside(path, ".index").write_bytes(index)
    assert [(suffix, sample) for suffix, sample, _ in found(path, quick=True)] == [(".keys", 29)]
    beside(path, ".index").write_bytes(index[:-1])
    assert [suffix for suffix, *_ in found(path, quick=True)] == [".index"]


def offsets_of_legacy(path):
    return list(msgpack.unpackb(beside(path, ".index").read_bytes()).values())


@pytest.mark.parametrize("cut", [1, 5000])
def test_cut_data_file_is_told(path, cut):
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - cut)
    first, second, *gone, third = found(path)
    assert first[0] == ""
    assert all(problem.endswith("the file ends before the sample") for *_, problem in gone)
    assert [sample for _, sample, _ in gone] == list(range(second[1] + 1, 30))
    assert f"it has {size - cut:,} bytes, but its samples end at byte {size:,}" in first[2]
    assert second[2].endswith("the file ends within the sample")
    assert "MD5" in third[2]
    assert found(path, quick=True) == [first, second, *gone]


def test_flipped_bit_in_a_value_is_told_by_the_digest(path):
    position = offsets_of(path)[21] + 60
    overwrite(path, position, bytes([path.read_bytes()[position] ^ 1]))
    assert [(suffix, problem[:10]) for suffix, _, problem in found(path)] == [("", "its MD5 is")]


def test_damaged_samples_are_named_and_placed(path):
    where = [damage(path, i) for i in (3, 20)]
    findings = verify(path, quick=True).findings
    assert [(f.file, f.sample, f.key, f.position) for f in findings] == [
        (path, 3, SAMPLES[3]["key"], where[0]),
        (path, 20, SAMPLES[20]["key"], where[1]),
    ]
    text = str(findings[0])
    assert text.startswith(f"{path}: sample 3 ('sample 3 ß'): byte {where[0]:,}: the sample is damaged")
    assert text.endswith("Restore it from a copy, or write the dataset again.")


@pytest.mark.parametrize("suffix", INDEX)
def test_missing_index_file_is_told(path, suffix):
    beside(path, suffix).unlink()
    assert found(path, quick=True) == [(suffix, None, "not found")]
    problems = found(path)
    assert (suffix, None, "not found, but x.msgpack.md5 lists it") in problems
    relist(path)
    assert found(path) == [(suffix, None, "not found")]


def test_missing_md5_file_is_told_unless_it_is_not_wanted(path):
    beside(path, ".md5").unlink()
    assert found(path) == [(".md5", None, "not found")]
    assert found(path, quick=True) == []


def test_md5_file_that_is_none_is_told(path):
    beside(path, ".md5").write_text("nonsense\n")
    assert [suffix for suffix, *_ in found(path)] == [".md5"]


def test_index_file_that_is_not_listed_is_told(path):
    md5 = beside(path, ".md5")
    md5.write_text("".join(line for line in md5.read_text().splitlines(True) if ".filter" not in line))
    assert found(path) == [(".md5", None, "it does not list x.msgpack.filter")]


@pytest.mark.parametrize("suffix", INDEX)
def test_changed_index_file_is_told_by_its_digest(path, suffix):
    overwrite(beside(path, suffix), beside(path, suffix).stat().st_size - 1, b"\x7f")
    assert any(name == suffix and problem.startswith("its MD5 is") for name, _, problem in found(path))


@pytest.mark.parametrize("suffix", [".keys", ".key_hashes", ".filter"])
def test_index_file_of_another_dataset_is_told_even_where_it_is_listed(path, other, suffix):
    shutil.copy(beside(other, suffix), beside(path, suffix))
    relist(path)
    problems = found(path)
    assert problems
    # Other keys are held against hashes, filter and samples.
    assert {name for name, *_ in problems} == ({suffix} if suffix != ".keys" else set(INDEX[1:]))
    assert 0 in {sample for _, sample, _ in problems}


def test_keys_of_another_dataset_are_told_by_the_samples(path, other):
    for suffix in INDEX:
        shutil.copy(beside(other, suffix), beside(path, suffix))
    relist(path)
    check = verify(path)
    assert [(f.file.suffix, f.sample, f.position) for f in check.findings] == [
        (".keys", i, offsets_of(path)[i]) for i in range(10)
    ]
    assert check.findings[0].problem == "the sample has the key 'sample 0 ß'"
    assert check.findings[0].key == "elpmas 0 ß"
    assert check.untold == {"samples with another key": 20}


def test_shifted_offsets_are_told_at_the_samples(path):
    offsets = offsets_of(path)
    offsets[12] += 1
    write_offsets(path, offsets)
    relist(path)
    assert [(name, sample) for name, sample, _ in found(path)] == [("", 11), ("", 12)]


def test_offsets_that_fall_are_told(path):
    offsets = offsets_of(path)
    offsets[12], offsets[13] = offsets[13], offsets[12]
    write_offsets(path, offsets)
    (finding,) = verify(path, quick=True).findings
    assert (finding.file.suffix, finding.sample, finding.position) == (".offsets", 12, 8 * 13)
    assert "`ddfast index` rebuilds it" in finding.remedy


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a multiple of 8 bytes"),
        (bytes(9), "not a multiple of 8"),
        (b"\1" * 16, "the first offset is"),
    ],
    ids=["empty", "nine bytes", "not from 0"],
)
def test_offsets_that_are_none_are_told(path, content, problem):
    beside(path, ".offsets").write_bytes(content)
    assert problem in found(path, quick=True)[0][2]


def test_offsets_of_a_longer_dataset_are_told(path, tmp_path):
    (tmp_path / "long").mkdir()
    longer = write(tmp_path / "long" / "x.msgpack", some_samples(31))
    shutil.copy(beside(longer, ".offsets"), beside(path, ".offsets"))
    (first, *rest) = found(path, quick=True)
    assert "the offsets belong to another data file" in first[2]
    assert rest == []


def test_keys_of_a_longer_dataset_are_told(path, tmp_path):
    (tmp_path / "long").mkdir()
    longer = write(tmp_path / "long" / "x.msgpack", some_samples(31))
    shutil.copy(beside(longer, ".keys"), beside(path, ".keys"))
    problem = "it has 31 keys, but the offsets file has 30 samples"
    assert found(path, quick=True) == [(".keys", None, problem)]
    beside(path, ".offsets").unlink()
    assert (".keys", None, "it has 31 keys, but the data file has 30 samples") in found(path, quick=True)


def test_damaged_keys_file_is_told(path):
    overwrite(beside(path, ".keys"), 3, b"\xc1")
    (problem,) = found(path, quick=True)
    assert problem[0] == ".keys"
    assert "key 0" in problem[2]
    assert "Restore" not in problem[2]


def test_equal_keys_are_told(path):
    keys = keys_of(SAMPLES)
    keys[7] = keys[3]
    beside(path, ".keys").write_bytes(msgpack.packb(keys))
    assert found(path, quick=True) == [
        ("", 7, "it has the key of sample 3"),
        (".keys", 7, "the sample has the key 'sample 7 ß'"),
    ]


def test_one_wrong_hash_is_told(path):
    overwrite(beside(path, ".key_hashes"), 8 * 6, bytes(8))
    (finding,) = verify(path, quick=True).findings
    assert (finding.sample, finding.key, finding.position) == (5, "sample 5 ß", 48)


def test_hashes_with_another_salt_are_sound(path):
    from ddfast.tools import hash_string

    salt = b"saltsalt"
    hashes = np.array([hash_string(key, salt) for key in keys_of(SAMPLES)], ">u8")
    beside(path, ".key_hashes").write_bytes(salt + hashes.tobytes())
    assert found(path, quick=True) == []


def test_damaged_filter_is_told(path):
    beside(path, ".filter").write_bytes(b"no filter")
    (problem,) = found(path, quick=True)
    assert problem == (".filter", None, "it is shorter than the header of a filter")


def test_samples_without_keys_of_their_own_are_a_note(tmp_path, capsys):
    path = tmp_path / "x.msgpack"
    with RawWriter(path, disable=True) as writer:
        writer.write("a", msgpack.packb([1, 2]))
        writer.write("b", msgpack.packb({"key": "b"}))
    assert run(path) == 0
    assert "note: 1 samples have no string under 'key'" in capsys.readouterr().out


def test_all_files_are_checked_and_one_damage_decides(path, tmp_path, capsys):
    write(tmp_path / "y.msgpack", SAMPLES)
    damage(path, 2)
    assert run(tmp_path / "*.msgpack", tmp_path / "y.msgpack") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: damaged")
    assert lines[-1].startswith(f"{tmp_path / 'y.msgpack'}: intact")
    assert len([line for line in lines if not line.startswith(" ")]) == 2


def test_json_holds_all_of_it(path, capsys):
    position = damage(path, 2)
    assert run("--json", "--quick", path) == 1
    (result,) = json.loads(capsys.readouterr().out)
    assert result["sound"] is False
    assert result["samples"] == 30
    (finding,) = result["findings"]
    assert finding["file"] == str(path)
    assert (finding["sample"], finding["key"], finding["position"]) == (2, "sample 2 ß", position)


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ([], 2, "usage: ddfast verify"),
        (["--unknown", "x"], 2, "usage: ddfast verify"),
    ],
    ids=str,
)
def test_wrong_arguments_end_with_usage(capsys, argv, code, message):
    assert run(*argv) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["none.msgpack", "none-*.msgpack"])
def test_missing_files_are_one_line(tmp_path, run_python, name):
    done = run_python("-m", "ddfast", "verify", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ddfast verify: {name} not found\n"


# -- checksums


def kinds(check):
    """(suffix of the file, sample, key, kind) of all findings of samples."""
    return [
        (f.file.name.removeprefix(check.path.name), f.sample, f.key, f.kind) for f in check.findings if f.kind
    ]


def test_every_kind_of_damage_is_told_apart(path):
    write_checksums(path)
    damage(path, 3)
    damage(path, 11, 60, b"\x55")
    zeros = damage(path, 21, 70, bytes(600))
    damage(path, 29, 60, b"\x55")
    check = verify(path)
    names = keys_of(SAMPLES)
    assert kinds(check) == [
        ("", 3, names[3], "not well-formed"),
        ("", 11, names[11], "checksum"),
        ("", 21, names[21], "zeroed"),
        ("", 29, names[29], "checksum"),
    ]
    assert check.damaged == [3, 11, 21, 29]
    assert [f.position for f in check.findings[:4]] == [
        offsets_of(path)[3],
        offsets_of(path)[11],
        zeros,
        offsets_of(path)[29],
    ]
    assert check.findings[1].problem == "the sample is damaged: its bytes do not match its checksum"
    assert "bytes 70 to 669 of it are zero" in check.findings[2].problem


def test_samples_that_were_cut_off_are_named(path):
    write_checksums(path)
    cut = offsets_of(path)[27] + 3
    with path.open("r+b") as file:
        file.truncate(cut)
    check = verify(path, quick=True)
    assert kinds(check) == [("", i, SAMPLES[i]["key"], "truncated") for i in (27, 28, 29)]
    assert [f.position for f in check.findings[1:]] == [cut, *offsets_of(path)[28:30]]
    assert check.samples == 30


def test_key_that_differs_is_a_kind_of_its_own(path):
    write_checksums(path)
    keys = keys_of(SAMPLES)
    keys[4] = "another"
    beside(path, ".keys").write_bytes(msgpack.packb(keys))
    assert (".keys", 4, "another", "key") in kinds(verify(path, quick=True))


def test_every_damaged_sample_is_listed(path, capsys):
    write_checksums(path)
    for i in range(2, 25):
        damage(path, i, 60, b"\x55")
    assert run("--quick", path) == 1
    out = capsys.readouterr().out
    assert "and 13 more: damaged samples" in out
    assert "damaged samples: 2-24\n" in out
    run("--quick", "--json", path)
    assert json.loads(capsys.readouterr().out)[0]["damaged"] == list(range(2, 25))


def test_dataset_with_checksums_is_sound(tmp_path):
    for samples in (SAMPLES, [], [{"key": "big", "b": bytes(3 << 20)}, {"key": "b"}]):
        assert found(write_checksums(write(tmp_path / "x.msgpack", samples))) == []


def test_checksums_that_are_wrong_themselves_are_told(path):
    write_checksums(path)
    overwrite(beside(path, ".xxh3"), 8 * 5, b"damaged!")
    sample, sums = found(path)
    assert sample[:2] == ("", 5)
    assert sums[0] == ".xxh3"
    assert "the MD5 of the data file is correct" in sums[2]


def test_checksums_of_another_length_are_told(path):
    beside(path, ".xxh3").write_bytes(bytes(9))
    assert found(path) == [(".xxh3", None, "30 samples have 240 bytes of checksums")]
