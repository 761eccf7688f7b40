"""ImageNet: classes from folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ddfast.annotated import AnnotationType, Dataset, DatasetItem, Image, Label, LabelCategories
from ddfast.errors import FormatError
from ddfast.testing.formats import FormatTests

PIXELS = np.zeros((4, 6, 3), np.uint8)


def image_files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(Image(data=PIXELS).encode(".png"))
    return root


def labels_of(dataset: Dataset) -> list[str]:
    labels = dataset.categories()[AnnotationType.label]
    assert isinstance(labels, LabelCategories)
    return [label.name for label in labels]


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


class TestImagenet(FormatTests):
    format = "imagenet"
    one_label = True
    names = (
        "cat/plain",
        "dog/with.dots.v2",
        "a person/folder/inner/name",
        "Ärger/with space",
        "cat/日本語/ü",
    )


class TestReading:
    def test_classes_come_from_folders_and_ids_are_unique_in_each(self, tmp_path: Path) -> None:
        image_files(tmp_path, "dog/1.jpg", "cat/1.JPEG", "cat/2.rgb.png", "no_label/1.png", "root.png")
        (tmp_path / "empty").mkdir()
        dataset = Dataset.import_from(tmp_path, "imagenet")
        assert labels_of(dataset) == ["cat", "dog", "empty"]
        assert {item.id: item.annotations for item in dataset} == {
            "cat/1": [Label(0)], "cat/2.rgb": [Label(0)], "dog/1": [Label(1)], "no_label/1": [], "root": [],
        }  # fmt: skip

    def test_subsets(self, tmp_path: Path) -> None:
        image_files(tmp_path, "train/dog/1.jpg", "val/cat/1.jpg")
        dataset = Dataset.import_from(tmp_path, "imagenet")
        assert labels_of(dataset) == ["cat", "dog"]
        assert [(item.subset, item.id, item.annotations) for item in dataset] == [
            ("train", "dog/1", [Label(1)]), ("val", "cat/1", [Label(0)]),
        ]  # fmt: skip
        assert all(item.image is not None and item.image.size == (4, 6) for item in dataset)
        plain = Dataset.import_from(tmp_path, "imagenet", subset_dirs=False)
        assert [(item.subset, item.id) for item in plain] == [
            ("default", "train/dog/1"),
            ("default", "val/cat/1"),
        ]
        assert labels_of(plain) == ["train", "val"]

    def test_subsets_of_any_name(self, tmp_path: Path) -> None:
        image_files(tmp_path, "fold1/dog/1.jpg")
        dataset = Dataset.import_from(tmp_path, "imagenet", subset_dirs=True)
        assert [(item.subset, item.id) for item in dataset] == [("fold1", "dog/1")]

    def test_nested_classes(self, tmp_path: Path) -> None:
        image_files(tmp_path, "animal/cat/1.jpg", "animal/2.jpg")
        assert labels_of(Dataset.import_from(tmp_path, "imagenet")) == ["animal"]
        dataset = Dataset.import_from(tmp_path, "imagenet", nested=True)
        assert labels_of(dataset) == ["animal", "animal/cat"]
        assert {item.id: item.annotations for item in dataset} == {
            "animal/2": [Label(0)],
            "animal/cat/1": [Label(1)],
        }

    def test_folder_without_images(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="has no images"):
            Dataset.import_from(tmp_path, "imagenet")

    def test_recognised_if_all_files_are_images_in_folders(self, tmp_path: Path) -> None:
        assert Dataset.import_from(image_files(tmp_path, "cat/1.jpg")).format == "imagenet"
        image_files(tmp_path, "root.jpg")
        assert Dataset.import_from(tmp_path).format == "image_dir"


class TestWriting:
    def test_layout(self, tmp_path: Path) -> None:
        items = [
            DatasetItem("1", [Label(1)], image=PIXELS),
            DatasetItem("a/1", [Label(0), Label(1), Label(0)], image=PIXELS),
            DatasetItem("dog:2", [Label(1)], image=PIXELS),
            DatasetItem("3", image=PIXELS),
            DatasetItem("4", [Label(0)]),
        ]
        report = Dataset.from_iterable(items, ["cat", "dog", "bird"]).export(tmp_path / "out", "imagenet")
        assert written(tmp_path / "out") == [
            "cat/a/1.png",
            "dog/1.png",
            "dog/2.png",
            "dog/a/1.png",
            "no_label/3.png",
        ]
        assert report.lost == {"items without an image": 1}
        assert labels_of(Dataset.import_from(tmp_path / "out", "imagenet")) == ["bird", "cat", "dog"]

    def test_unusual_subsets_are_noted(self, tmp_path: Path) -> None:
        items = [DatasetItem("1", [Label(0)], subset="fold1", image=PIXELS)]
        report = Dataset.from_iterable(items, ["a/b"]).export(tmp_path / "out", "imagenet")
        assert written(tmp_path / "out") == ["fold1/a/b/1.png"]
        assert [note.rpartition("with ")[2] for note in report.notes] == [
            "nested=True (--nested)", "subset_dirs=True (--subset-dirs)",
        ]  # fmt: skip

    def test_items_that_would_have_the_same_file(self, tmp_path: Path) -> None:
        items = [DatasetItem(name, [Label(0)], image=PIXELS) for name in ("1", "cat/1")]
        with pytest.raises(FileExistsError):
            Dataset.from_iterable(items, ["cat"]).export(tmp_path / "out", "imagenet")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("name", [".hidden", "/root", "no_label", "a\\b", "../up"])
    def test_labels_that_no_folder_can_have(self, tmp_path: Path, name: str) -> None:
        items = [DatasetItem("1", [Label(0)], image=PIXELS)]
        with pytest.raises(ValueError, match="cannot be the name of a folder"):
            Dataset.from_iterable(items, [name]).export(tmp_path / "out", "imagenet")
