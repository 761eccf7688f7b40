"""A dataset that is replaced while it is being opened."""

import threading

from ddfast import FileWriter, MsgpackReader


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
