"""ImageNet with text files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddfast.annotated import AnnotationType, Dataset, DatasetItem, Image, Label, LabelCategories
from ddfast.errors import FormatError
from ddfast.testing.formats import FormatTests

PIXELS = np.zeros((4, 6, 3), np.uint8)


def source(folder: Path, text: str, labels: str | None = "cat\ndog\na person\n", name: str = "train") -> Path:
    (folder / f"{name}.txt").write_text(text, "utf-8")
    if labels is not None:
        (folder / "synsets.txt").write_text(labels, "utf-8")
    return folder


def labels_of(dataset: Dataset) -> list[str]:
    labels = dataset.categories()[AnnotationType.label]
    assert isinstance(labels, LabelCategories)
    return [label.name for label in labels]


class TestImagenetTxt(FormatTests):
    format = "imagenet_txt"


class TestReading:
    def test_lines(self, tmp_path: Path) -> None:
        text = '1.jpg 0\r\na/2.rgb.PNG 2 1\n\n"with space/ü x".jpg 1\nno\\label.png\n'
        for name in ("1.JPG", "train/a/2.rgb.PNG"):
            (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "images" / name).write_bytes(Image(data=PIXELS).encode(".png"))
        dataset = Dataset.import_from(source(tmp_path, text))
        assert dataset.format == "imagenet_txt"
        assert labels_of(dataset) == ["cat", "dog", "a person"]
        assert {item.id: item.annotations for item in dataset} == {
            "1": [Label(0)], "a/2.rgb": [Label(2), Label(1)], "with space/ü x": [Label(1)], "no/label": [],
        }  # fmt: skip
        assert {item.subset for item in dataset} == {"train"}
        assert [item.image and item.image.path for item in dataset] == [
            f"{tmp_path}/images/1.JPG", f"{tmp_path}/images/train/a/2.rgb.PNG", "with space/ü x.jpg", "no/label.png",
        ]  # fmt: skip

    def test_options(self, tmp_path: Path) -> None:
        source(tmp_path, "1.jpg 2\n", None)
        (tmp_path / "pictures").mkdir()
        (tmp_path / "pictures/1.jpg").write_bytes(Image(data=PIXELS).encode(".png"))
        (tmp_path / "names.txt").write_text("a\nb\nc\n")
        generated = Dataset.import_from(
            tmp_path / "train.txt", "imagenet_txt", labels="generate", image_dir="pictures"
        )
        assert labels_of(generated) == ["class-0", "class-1", "class-2"]
        item = generated.get("1", "train")
        assert item is not None
        assert item.image is not None
        assert item.image.size == (4, 6)
        named = Dataset.import_from(tmp_path, "imagenet_txt", labels_file="names.txt")
        assert (labels_of(named), list(named.subsets())) == (["a", "b", "c"], ["train"])
        given = Dataset.import_from(tmp_path / "train.txt", "imagenet_txt", labels=["x", "y", "z"])
        assert labels_of(given) == ["x", "y", "z"]
        listed = Dataset.import_from(tmp_path / "train.txt", "imagenet_txt", labels="x,y,z")
        assert labels_of(listed) == ["x", "y", "z"]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("2.jpg 3", "there is no class 3; there are 3"),
            ("2.jpg -1", "there is no class -1"),
            ("2.jpg cat", "'cat' are not numbers of classes"),
            ("with space.jpg 1", "names with spaces stand in quotes"),
            ('"2.jpg 1', "a quote that is not closed"),
            ("../2.jpg 1", "leaves the folder"),
            ("/etc/2.jpg 1", "not a relative path"),
            ("1.jpg 1", "a line before it has the image '1', too"),
        ],
    )
    def test_lines_that_make_no_sense(self, tmp_path: Path, line: str, message: str) -> None:
        folder = source(tmp_path, f"1.jpg 0\n{line}\n3.jpg 1\n")
        with pytest.raises(FormatError, match=rf"train\.txt, line 2: .*{message}"):
            Dataset.import_from(folder, "imagenet_txt")
        dataset = Dataset.import_from(folder, "imagenet_txt", on_error="skip")
        assert [item.id for item in dataset] == ["1", "3"]
        assert dataset.report.problem_count == 1

    def test_missing_files(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match=r"has no lists of images, such as train\.txt"):
            Dataset.import_from(tmp_path, "imagenet_txt")
        with pytest.raises(FormatError, match=r"synsets\.txt, the names of classes, does not exist"):
            Dataset.import_from(source(tmp_path, "1.jpg 0\n", None), "imagenet_txt")

    def test_other_text_files_are_not_recognised(self, tmp_path: Path) -> None:
        source(tmp_path, "Some text\nabout nothing 5\n")
        assert "imagenet_txt" not in [one.format for one in Dataset.detect(tmp_path)]


class TestWriting:
    def test_files(self, tmp_path: Path) -> None:
        items: list[Any] = [
            DatasetItem("a/1", [Label(1), Label(0), Label(1)], subset="train", image=PIXELS),
            DatasetItem("with space", subset="train"),
            DatasetItem("2", [Label(0)], subset="val", image=PIXELS),
        ]
        Dataset.from_iterable(items, ["cat", "Ärger"]).export(
            tmp_path / "out", "imagenet_txt", save_media=True
        )
        found = {
            path.relative_to(tmp_path / "out").as_posix(): path.read_text("utf-8")
            for path in (tmp_path / "out").glob("*.txt")
        }
        assert found == {
            "synsets.txt": "cat\nÄrger\n", "train.txt": 'a/1.png 1 0\n"with space".jpg\n', "val.txt": "2.png 0\n",
        }  # fmt: skip
        images = sorted(
            path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")
        )
        assert images == ["images/2.png", "images/a/1.png"]

    @pytest.mark.parametrize(
        ("item", "label", "message"), [('a"b', "cat", "has a quote"), ("a", " cat", "cannot be a line")]
    )
    def test_what_the_lines_cannot_hold(self, tmp_path: Path, item: str, label: str, message: str) -> None:
        dataset = Dataset.from_iterable([DatasetItem(item, [Label(0)])], [label])
        with pytest.raises(FormatError, match=message):
            dataset.export(tmp_path / "out", "imagenet_txt")
