"""The commands that move samples: what they refuse, what they ask, and what they leave behind."""

from __future__ import annotations

import os

import datadings.commands.merge
import pytest
from datasets import beside, damage, keys_of, some_samples
from moving import dataset, files_in, keys_in, names_of, run

from ddfast.commands import merge, sample, split
from ddfast.errors import CorruptSampleError, DatasetNotFoundError, DuplicateKeyError

pytestmark = pytest.mark.usefixtures("small_batches")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("shuffle", ["OUT"]), ("merge", ["OUT"]), ("sample", ["OUT", "5"]), ("split", ["5", "-o", "OUT", "b"])],
    ids=str,
)
@pytest.mark.parametrize("kind", ["same", "relative", "symlink", "hard link"])
def test_no_file_is_input_and_output(tmp_path, monkeypatch, capsys, name, arguments, kind):
    path = dataset(tmp_path)
    before = path.read_bytes()
    monkeypatch.chdir(tmp_path)
    out = {"same": path, "relative": "../" + tmp_path.name + "/in.msgpack"}.get(kind, tmp_path / "link")
    if kind == "symlink":
        out.symlink_to(path)
    if kind == "hard link":
        os.link(path, out)
    assert run(name, path, *(str(out) if arg == "OUT" else arg for arg in arguments), "-y") == 1
    assert f"{out} is also the input. Write to another file" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_no_file_is_output_twice(tmp_path, capsys):
    path = dataset(tmp_path)
    assert run("split", path, 5, "-o", tmp_path / "a", tmp_path / "a") == 1
    assert "a is given twice as output" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "arguments"), [("shuffle", []), ("merge", []), ("sample", ["5"])], ids=str)
def test_missing_input_is_named(tmp_path, capsys, name, arguments):
    assert run(name, tmp_path / "none.msgpack", tmp_path / "out", *arguments) == 1
    assert "none.msgpack not found" in capsys.readouterr().err
    assert files_in(tmp_path) == []


def test_missing_input_of_split_is_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"none\.msgpack not found"):
        split.split_dataset(tmp_path / "none.msgpack", [tmp_path / "a", tmp_path / "b"], [5], False)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (
            [10],
            "split position 10 is outside of the dataset, which has 10 samples: use positions from 1 to 9",
        ),
        ([0], "split position 0 is outside of"),
        ([5, 3], "split positions must be in ascending order, but are 5 3"),
    ],
)
def test_positions_outside_or_out_of_order_are_refused(tmp_path, capsys, splits, message):
    path = dataset(tmp_path, count=10)
    assert run("split", path, *splits) == 1
    assert message in capsys.readouterr().err
    assert files_in(tmp_path) == names_of("in.msgpack")


def test_split_needs_a_name_for_each_part(tmp_path, capsys):
    path = dataset(tmp_path, count=10)
    assert run("split", path, 3, 5, "-o", tmp_path / "a", tmp_path / "b") == 1
    assert "2 split positions result in 3 parts, but 2 outputs are given" in capsys.readouterr().err


@pytest.mark.parametrize("strategy", ["concat", "random"])
def test_key_of_two_datasets_is_named_with_both_before_anything_is_written(tmp_path, capsys, strategy):
    one, other = dataset(tmp_path, "one", 5), dataset(tmp_path, "other", 5)
    assert run("merge", one, other, tmp_path / "out", "-s", strategy) == 1
    message = capsys.readouterr().err
    assert f"{one} and {other} both have a sample with the key 'sample 0 ß'" in message
    assert "Leave one of the datasets out, or write it again with other keys" in message
    assert files_in(tmp_path) == names_of("one", "other")
    with pytest.raises(ValueError, match="both have"):  # as datadings
        merge.merge_concat([one, other], tmp_path / "out", False)


def test_nothing_is_not_merged_at_random(tmp_path):
    paths = [dataset(tmp_path, name, 0) for name in "ab"]
    for function in (merge.merge_random, datadings.commands.merge.merge_random):
        with pytest.raises(ValueError, match="zero samples found"):
            function(paths, tmp_path / "out")


def test_negative_number_of_samples_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the number of samples is -1"):
        sample.sample(dataset(tmp_path), tmp_path / "out", -1, "random")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("sample", ["in", "out", "-1"], "-1"),
        ("sample", ["in", "out", "five"], "'five' is not a non-negative integer"),
        ("shuffle", ["in", "out", "--buf-size", "0"], "'0' is not a positive number"),
        ("shuffle", ["in", "out", "--buf-size", "much"], "'much' is not a positive number"),
        ("shuffle", ["in", "out", "--chunk-size", "1.5"], "'1.5' is not a positive number"),
        ("shuffle", ["in"], "outfile"),
        ("merge", ["in", "out", "-s", "best"], "'best'"),
        ("split", ["in", "half"], "'half'"),
        ("split", ["in"], "split"),
    ],
    ids=str,
)
def test_wrong_arguments_are_explained_with_status_2(capsys, name, arguments, message):
    with pytest.raises(SystemExit) as end:
        run(name, *arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("shuffle", []),
        ("shuffle", ["--true-shuffle"]),
        ("sample", ["300"]),
        ("merge", ["-s", "concat"]),
        ("merge", ["-s", "random"]),
    ],
    ids=str,
)
def test_damaged_sample_is_named_with_its_dataset(tmp_path, capsys, name, arguments):
    path = dataset(tmp_path)
    damage(path, 123)
    assert run(name, path, tmp_path / "out", *arguments) == 1
    message = capsys.readouterr().err
    assert f"in.msgpack: sample 123 ({keys_of(some_samples(124))[-1]!r}) is damaged at byte 0" in message
    assert files_in(tmp_path) == names_of("in.msgpack")


def test_damage_ends_a_split_after_the_parts_that_are_complete(tmp_path):
    path = dataset(tmp_path)
    damage(path, 123)
    with pytest.raises(CorruptSampleError, match=r"in\.msgpack: sample 123"):
        split.split_dataset(path, [tmp_path / "a", tmp_path / "b"], [100], False)
    assert files_in(tmp_path) == sorted([*names_of("a", "in.msgpack"), "a.xxh3"])


def test_a_key_that_comes_twice_in_one_dataset_is_named(tmp_path):
    path = dataset(tmp_path, count=3)
    other = dataset(tmp_path, "other", count=3, prefix="x")
    keys = beside(path, ".keys")
    keys.write_bytes(keys.read_bytes().replace(b"sample 2", b"sample 0"))
    beside(path, ".key_hashes").unlink()
    with pytest.raises(DuplicateKeyError, match=r"sample 2 .*has the key of sample 0"):
        merge.merge_concat([path, other], tmp_path / "out")


# -- what exists


@pytest.mark.parametrize("name", ["shuffle", "merge", "sample"])
@pytest.mark.parametrize(
    ("answer", "status", "output"), [("y", 0, "written"), ("n", 0, "out is left unchanged"), ("a", 130, "")]
)
def test_user_decides_about_what_exists(tmp_path, monkeypatch, capsys, name, answer, status, output):
    path, out = dataset(tmp_path), dataset(tmp_path, "out", 2)
    monkeypatch.setattr("builtins.input", lambda: answer)
    assert run(name, path, out, *(["5"] if name == "sample" else [])) == status
    assert output in capsys.readouterr().out
    assert (len(keys_in(out)) == 2) == (answer != "y")


def test_parts_that_are_to_be_kept_are_left_out(tmp_path, monkeypatch, capsys):
    path = dataset(tmp_path)
    for name in "abc":
        dataset(tmp_path, name, 2)
    answers = iter("yny")
    monkeypatch.setattr("builtins.input", lambda: next(answers))
    assert run("split", path, 100, 200, "-o", *(tmp_path / name for name in "abc")) == 0
    assert "b is left unchanged" in capsys.readouterr().out
    keys = keys_in(path)
    assert keys_in(tmp_path / "a") == keys[:100]
    assert len(keys_in(tmp_path / "b")) == 2
    assert keys_in(tmp_path / "c") == keys[200:]


def test_where_nobody_answers_the_way_out_is_told(tmp_path, monkeypatch, capsys):
    def nobody():
        raise EOFError

    path, out = dataset(tmp_path), dataset(tmp_path, "out", 2)
    monkeypatch.setattr("builtins.input", nobody)
    assert run("shuffle", path, out) == 1
    assert "out exists, and there is no terminal to ask whether to overwrite it. Use --no-confirm" in (
        capsys.readouterr().err
    )
    assert run("shuffle", path, out, "--no-confirm") == 0
    assert len(keys_in(out)) == 300


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path, capsys):
    path = dataset(tmp_path)
    assert run("shuffle", path, path / "out") == 1
    assert "in.msgpack" in capsys.readouterr().err
