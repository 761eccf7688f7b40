"""The stored form: one file for training and for curating."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from datadings.reader import MsgpackReader as DatadingsReader

from ddfast import FileWriter, MsgpackReader
from ddfast.annotated import (
    AnnotationType,
    Bbox,
    Dataset,
    DatasetItem,
    Label,
    LabelCategories,
    MaskCategories,
    Points,
    PointsCategories,
    Polygon,
    sample_targets,
)
from ddfast.annotated.targets import batch_targets
from ddfast.errors import DatasetExistsError, TableFileError, TaskError
from tests.annotated.test_dataset import EVERYTHING


@pytest.fixture
def categories():
    labels = LabelCategories.from_iterable([("cat", "animal"), ("dog", "animal", ["tail"]), "person"])
    points = PointsCategories.from_iterable([(2, ["head", "foot"], [(0, 1)])])
    return {
        AnnotationType.label: labels,
        AnnotationType.points: points,
        AnnotationType.mask: MaskCategories.generate(3),
    }


@pytest.fixture
def dataset(categories):
    return Dataset.from_iterable(
        [
            DatasetItem("a", annotations=list(EVERYTHING), image=np.full((4, 5, 3), 7, np.uint8)),
            DatasetItem("b/c", subset="train", attributes={"weather": "rain"}),
            DatasetItem("a", subset="train", annotations=[Bbox(1, 2, 3, 4, label=0)], status="seen"),
        ],
        categories=categories,
    )


@pytest.fixture
def path(dataset, tmp_path):
    dataset.export(tmp_path / "x.msgpack")
    return tmp_path / "x.msgpack"


def test_import_gives_back_equal_items_and_categories(dataset, path, categories):
    found = Dataset.import_from(path)
    assert list(found) == list(dataset)
    assert found.categories() == categories
    assert found.format == "ddfast"


def test_the_table_can_be_made_again_from_the_samples(dataset, path):
    path.with_name("x.msgpack.table").unlink()
    assert list(Dataset.import_from(path)) == list(dataset)


def test_any_reader_of_the_format_reads_the_samples(path):
    with DatadingsReader(path) as reader:
        samples = list(reader)
    assert [sample["key"] for sample in samples] == ["default/a", "train/b/c", "train/a"]
    assert samples[2]["annotations"]["box"].tolist() == [[1, 2, 3, 4]]
    assert samples[2]["annotations"]["label"].tolist() == [0]
    assert samples[0]["image"].startswith(b"\x89PNG")


def test_one_label_for_each_item_is_the_label_of_the_sample(tmp_path):
    items = [DatasetItem(f"{n}", annotations=[Label(n % 2)]) for n in range(4)]
    Dataset.from_iterable(items, categories=["cat", "dog"]).export(tmp_path / "x.msgpack")
    with MsgpackReader(tmp_path / "x.msgpack") as reader:
        assert [sample["label"] for sample in reader] == [0, 1, 0, 1]


def test_a_plain_dataset_with_labels_is_a_dataset_of_labels(tmp_path):
    with FileWriter(tmp_path / "x.msgpack", disable=True) as writer:
        for n in range(3):
            writer.write({"key": f"{n}.jpg", "image": b"jpeg", "label": n})
    found = list(Dataset.import_from(tmp_path / "x.msgpack"))
    assert [item.id for item in found] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [item.annotations for item in found] == [[Label(0)], [Label(1)], [Label(2)]]
    assert found[1].image.bytes == b"jpeg"


def test_an_existing_dataset_is_kept_unless_overwrite(dataset, path):
    before = path.read_bytes()
    with pytest.raises(DatasetExistsError, match="overwrite=True"):
        Dataset.from_iterable([]).export(path)
    assert path.read_bytes() == before
    dataset.select(lambda item: item.status == "seen").export(path, overwrite=True)
    assert len(Dataset.import_from(path)) == 1


def test_the_table_of_another_dataset_is_refused(dataset, path):
    other = Dataset.from_iterable([DatasetItem("z")])
    other.export(path.with_name("y.msgpack"))
    path.with_name("y.msgpack.table").replace(path.with_name("x.msgpack.table"))
    with pytest.raises(TableFileError, match=r"x\.msgpack\.table does not belong .*`ddfast index --table"):
        Dataset.import_from(path)


@pytest.mark.parametrize("cut", [0, 1, 100, 1000, -8, -1])
def test_a_truncated_table_is_an_error(path, cut):
    table = path.with_name("x.msgpack.table")
    content = table.read_bytes()
    table.write_bytes(content[:cut])
    with pytest.raises(TableFileError, match=r"x\.msgpack\.table is damaged"):
        Dataset.import_from(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": 1, "categories": {"x": {}}}']
)
def test_a_damaged_meta_file_is_an_error(path, text):
    path.with_name("x.msgpack.meta").write_text(text)
    with pytest.raises(TableFileError, match=r"x\.msgpack\.meta is damaged"):
        Dataset.import_from(path)


def test_files_of_a_later_version_are_refused(path):
    meta = path.with_name("x.msgpack.meta")
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "version": 99}))
    with pytest.raises(TableFileError, match="another version of ddfast: 99"):
        Dataset.import_from(path)


def test_the_table_is_an_arrow_file_for_everyone(path):
    with pa.ipc.open_file(path.with_name("x.msgpack.table")) as file:
        table = file.read_all()
    assert table.column("id").to_pylist() == ["a", "b/c", "a"]
    assert [len(row) for row in table.column("annotations").to_pylist()] == [len(EVERYTHING), 0, 1]


def test_two_exports_are_equal(dataset, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        dataset.export(tmp_path / name / "x.msgpack")
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


# -- targets


def test_detection_targets(tmp_path):
    items = [
        DatasetItem(
            "a",
            annotations=[
                Bbox(1, 2, 3, 4, label=1, attributes={"is_crowd": True}),
                Label(0),
                Polygon([0, 0, 10, 0, 10, 10], label=2),
            ],
        ),
        DatasetItem("b"),
        DatasetItem("c", annotations=[Points([1, 2]), Bbox(0.5, 0, 1, 1)]),
    ]
    Dataset.from_iterable(items, categories=["x", "y", "z"]).export(tmp_path / "x.msgpack")
    with MsgpackReader(tmp_path / "x.msgpack") as reader:
        (batch,) = reader.batches(3)
        targets = batch_targets(batch, "detection")
        single = sample_targets(reader[2], "detection")
    first, second, third = targets
    assert first["boxes"].dtype == np.float32
    assert first["boxes"].tolist() == [[1, 2, 4, 6], [0, 0, 10, 10]]
    assert first["labels"].tolist() == [1, 2]
    assert first["iscrowd"].tolist() == [1, 0]
    assert first["area"].tolist() == [12, 50]
    assert second["boxes"].shape == (0, 4)
    assert third["labels"].tolist() == [-1]
    assert single["boxes"].tolist() == third["boxes"].tolist() == [[0.5, 0, 1.5, 1]]
    assert [len(target["labels"]) for target in targets[0:2]] == [2, 0]


def test_other_targets(path):
    with MsgpackReader(path) as reader:
        (batch,) = reader.batches(3)
        assert [one["labels"].tolist() for one in batch_targets(batch, "classification")] == [[2], [], []]
        assert [one["captions"] for one in batch_targets(batch, "caption")] == [["a «caption»"], [], []]


def test_unknown_tasks_and_plain_samples_are_errors(path):
    with pytest.raises(TaskError, match=r"no task 'detect'; there are 'classification', 'detection'"):
        sample_targets({}, "detect")
    with pytest.raises(TaskError, match="no field 'annotations'"):
        sample_targets({"key": "a"}, "detection")
