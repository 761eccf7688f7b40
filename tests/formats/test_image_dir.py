"""Folders of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddfast.annotated import Bbox, Dataset, DatasetItem, Image
from ddfast.errors import FormatError
from ddfast.testing.formats import FormatTests


def image_file(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Image(data=np.full((4, 6, 3), value, np.uint8)).encode(".png"))


class TestImageDir(FormatTests):
    format = "image_dir"

    def round_trip(self, dataset: Dataset, folder: Path, **options: Any) -> Dataset:
        dataset.export(folder, self.format, save_media=True, **options)
        return Dataset.import_from(folder, self.format, subset_dirs=True)


class TestReading:
    def test_documented_example(self, tmp_path: Path) -> None:
        names = ["1.jpg", "sub/inner/2.PNG", "sub/a.rgb.Jpeg", "测试.JPG", "x.bmp", "y.TIF", "z.webp"]
        for name in names:
            image_file(tmp_path / name)
        (tmp_path / "notes.txt").write_text("no image")
        dataset = Dataset.import_from(tmp_path, "image_dir")
        assert [item.id for item in dataset] == ["1", "sub/a.rgb", "sub/inner/2", "x", "y", "z", "测试"]
        assert {item.subset for item in dataset} == {"default"}
        item = dataset.get("sub/inner/2")
        assert item is not None
        assert item.image is not None
        assert item.image.path == str(tmp_path / "sub/inner/2.PNG")
        assert item.image.size == (4, 6)
        assert dataset.report.notes == [f"1 files of {tmp_path} are not images and were left out"]

    def test_subset_option(self, tmp_path: Path) -> None:
        image_file(tmp_path / "a/1.png")
        dataset = Dataset.import_from(tmp_path, "image_dir", subset="mine")
        assert [(item.subset, item.id) for item in dataset] == [("mine", "a/1")]

    def test_first_folder_as_subset(self, tmp_path: Path) -> None:
        image_file(tmp_path / "a/b/1.png", 1)
        image_file(tmp_path / "2.png", 2)
        dataset = Dataset.import_from(tmp_path, "image_dir", subset_dirs=True)
        assert [(item.subset, item.id) for item in dataset] == [("default", "2"), ("a", "b/1")]
        assert [int(item.image.data[0, 0, 0]) for item in dataset if item.image] == [2, 1]

    def test_names_that_differ_in_the_extension_stay_two_items(self, tmp_path: Path) -> None:
        image_file(tmp_path / "a.jpg")
        image_file(tmp_path / "a.png")
        dataset = Dataset.import_from(tmp_path, "image_dir")
        assert [item.id for item in dataset] == ["a", "a.png"]
        assert dataset.report.notes == [
            "1 images have names that differ only in the extension: their ids keep it"
        ]

    def test_links_out_of_the_folder_are_not_followed(self, tmp_path: Path) -> None:
        image_file(tmp_path / "outside/secret.png")
        image_file(tmp_path / "images/1.png")
        (tmp_path / "images/link.png").symlink_to(tmp_path / "outside/secret.png")
        assert [item.id for item in Dataset.import_from(tmp_path / "images", "image_dir")] == ["1"]

    def test_recognised_with_little_confidence(self, tmp_path: Path) -> None:
        image_file(tmp_path / "1.png")
        assert Dataset.import_from(tmp_path).format == "image_dir"
        (found,) = [one for one in Dataset.detect(tmp_path) if one.format == "image_dir"]
        assert (found.confidence, found.reason) == (10, "1 of 1 files are images")

    def test_folder_without_images(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="has no images"):
            Dataset.import_from(tmp_path, "image_dir")


class TestWriting:
    def test_one_subset_has_no_folder(self, tmp_path: Path) -> None:
        item = DatasetItem("a/1", subset="train", image=np.zeros((4, 6, 3), np.uint8))
        Dataset.from_iterable([item]).export(tmp_path / "out", "image_dir", image_ext=".png")
        assert [
            path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")
        ] == ["a/1.png"]

    def test_same_name_in_two_subsets(self, tmp_path: Path) -> None:
        items = [DatasetItem("1", subset=name, image=np.zeros((4, 6, 3), np.uint8)) for name in ("a", "b")]
        dataset = Dataset.from_iterable(items)
        with pytest.raises(FileExistsError):
            dataset.export(tmp_path / "out", "image_dir", subset_dirs=False)
        dataset.export(tmp_path / "out", "image_dir")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]

    def test_items_without_an_image_are_counted(self, tmp_path: Path) -> None:
        report = Dataset.from_iterable([DatasetItem("1", [Bbox(1, 2, 3, 4)])]).export(
            tmp_path / "out", "image_dir"
        )
        assert report.lost == {"boxes": 1, "items without an image": 1}
