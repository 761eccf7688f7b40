"""A dataset that is replaced while it is being opened."""

import os
import threading
from pathlib import Path

import pytest

from ddfast import FileWriter, MsgpackReader
from ddfast.dataset.local import LocalDataset
from ddfast.format.files import SUFFIX_OFFSETS, SUFFIXES


def write(path, generation):
    with FileWriter(path, overwrite=True, disable=True) as writer:
        for i in range(20):  # as many bytes and samples in every generation
            writer.write({"key": f"{generation:06}/{i}", "generation": f"{generation:06}"})


def test_a_reader_never_mixes_the_files_of_two_generations(tmp_path):
    path = tmp_path / "set.msgpack"
    write(path, 0)
    done = threading.Event()

    def replace():
        for generation in range(1, 40):
            write(path, generation)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    opened = 0
    while not done.is_set() or opened == 0:
        with MsgpackReader(path) as reader:
            generation = reader.get(0)["generation"]
            assert reader.find_key(7) == f"{generation}/7"
            assert reader.find_index(f"{generation}/19") == 19
            assert {sample["generation"] for sample in reader} == {generation}
        opened += 1
    writer.join()


def test_an_open_reader_reads_the_replaced_dataset_to_its_end(tmp_path):
    path = tmp_path / "set.msgpack"
    write(path, 0)
    with MsgpackReader(path) as reader:
        first = next(reader)
        write(path, 1)
        assert {sample["generation"] for sample in reader} == {first["generation"]} == {"000000"}
        assert reader.find_index("000000/3") == 3
        assert [batch["generation"][0] for batch in reader.batches(8)] == ["000000"] * 3


def put(source, path):
    """Give a dataset another name in the order of a writer, with the files themselves: they keep their numbers."""
    path.with_name(path.name + SUFFIX_OFFSETS).unlink(missing_ok=True)
    for suffix in [*(set(SUFFIXES) - {SUFFIX_OFFSETS}), "", SUFFIX_OFFSETS]:
        if (file := Path(f"{source}{suffix}")).exists():
            (path.parent / "link").unlink(missing_ok=True)
            os.link(file, path.parent / "link")
            (path.parent / "link").replace(f"{path}{suffix}")


@pytest.mark.parametrize("samples", [20, 21])
@pytest.mark.parametrize("step", ["_count_keys", "_content", "_open_offsets", "_checksums", "_is_current"])
def test_a_dataset_that_is_replaced_twice_by_a_file_of_the_same_number_is_opened_again(
    tmp_path, monkeypatch, step, samples
):
    path = tmp_path / "set.msgpack"
    write(tmp_path / "first", 1)
    with FileWriter(tmp_path / "second", disable=True) as writer:
        for i in range(samples):
            writer.write({"key": f"{2:06}/{i}", "generation": f"{2:06}"})
    put(tmp_path / "second", path)
    original = getattr(LocalDataset, step)
    left = ["first"]  # to be put in place of the other before this step

    def interrupted(self, *args):
        if left:
            put(tmp_path / left.pop(), path)
        return original(self, *args)

    monkeypatch.setattr(LocalDataset, step, interrupted)
    with MsgpackReader(path, verify="sample") as reader:
        assert {sample["generation"] for sample in reader} == {"000001"}
        assert reader.find_index("000001/19") == 19


def test_the_number_of_a_file_that_is_used_again_does_not_hide_a_replacement(tmp_path, monkeypatch):
    path = tmp_path / "set.msgpack"
    write(tmp_path / "first", 1)
    with FileWriter(tmp_path / "second", disable=True) as writer:
        writer.write({"key": "0", "generation": "2"})
    put(tmp_path / "first", path)
    opening = LocalDataset._try_to_open
    offsets = LocalDataset._open_offsets
    left = ["first", "second"]

    def before_opening(self):
        if len(left) == 2:
            put(tmp_path / left.pop(), path)
        return opening(self)

    def before_offsets(self):
        if left:
            put(tmp_path / left.pop(), path)
        return offsets(self)

    monkeypatch.setattr(LocalDataset, "_try_to_open", before_opening)
    monkeypatch.setattr(LocalDataset, "_open_offsets", before_offsets)
    with MsgpackReader(path) as reader:
        assert [sample["generation"] for sample in reader] == ["000001"] * 20
