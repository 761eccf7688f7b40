"""ZIP archives of images."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from ddfast.annotated import Dataset, DatasetItem, Image
from ddfast.errors import FormatError
from ddfast.formats import image_zip
from ddfast.testing.formats import FormatTests

CONTENT = Image(data=np.full((4, 6, 3), 7, np.uint8)).encode(".png")


def archive(path: Path, *names: str, method: int = zipfile.ZIP_STORED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as file:
        for name in names:
            file.writestr(name, CONTENT)
    return path


def dataset(*ids: str, subset: str = "default") -> Dataset:
    pixels = np.full((4, 6, 3), 7, np.uint8)
    return Dataset.from_iterable(
        DatasetItem(one, subset=subset, image=Image(data=pixels, path=f"{one}.png")) for one in ids
    )


class TestImageZip(FormatTests):
    format = "image_zip"


class TestReading:
    def test_documented_layout(self, tmp_path: Path) -> None:
        archive(tmp_path / "foo/one.zip", "image_1.jpg", "image_2.PNG", "subdir/image_3.jpg", "notes.txt")
        archive(tmp_path / "foo/two.zip", "image_1.jpg", "__MACOSX/._image_1.jpg", ".hidden.png")
        found = Dataset.import_from(tmp_path / "foo")
        assert found.format == "image_zip"
        assert [(item.subset, item.id) for item in found] == [
            ("one", "image_1"), ("one", "image_2"), ("one", "subdir/image_3"), ("two", "image_1"),
        ]  # fmt: skip
        item = found.get("subdir/image_3", "one")
        assert item is not None
        assert item.image is not None
        assert item.image.bytes == CONTENT
        assert item.image.size == (4, 6)

    def test_one_archive(self, tmp_path: Path) -> None:
        path = archive(tmp_path / "pictures.zip", "a/1.png", method=zipfile.ZIP_DEFLATED)
        assert [(item.subset, item.id) for item in Dataset.import_from(path)] == [("default", "a/1")]
        assert [item.subset for item in Dataset.import_from(path, subset="mine")] == ["mine"]
        assert [item.subset for item in Dataset.import_from(archive(tmp_path / "x/train.zip", "1.png"))] == [
            "train"
        ]

    def test_one_subset_for_several_archives_keeps_all_items(self, tmp_path: Path) -> None:
        archive(tmp_path / "one.zip", "1.png")
        archive(tmp_path / "two.zip", "1.png")
        found = Dataset.import_from(tmp_path, "image_zip", subset="all")
        assert [(item.subset, item.id) for item in found] == [("all", "one/1"), ("all", "two/1")]

    def test_utf8_names_without_the_flag(self, tmp_path: Path) -> None:
        path = archive(tmp_path / "x.zip", "日本.png")
        content = path.read_bytes()
        for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            place = content.index(magic) + at
            content = (
                content[:place] + bytes([content[place], content[place + 1] & ~0x08]) + content[place + 2 :]
            )
        path.write_bytes(content)
        (item,) = Dataset.import_from(path)
        assert item.id == "日本"
        assert item.image is not None
        assert item.image.bytes == CONTENT

    @pytest.mark.parametrize("name", ["../1.png", "/etc/1.png", "a/../../1.png", "C:/1.png"])
    def test_paths_that_leave_the_archive(self, tmp_path: Path, name: str) -> None:
        path = archive(tmp_path / "x.zip", name, "good.png")
        with pytest.raises(FormatError, match=r"x\.zip, file '.*1\.png'"):
            Dataset.import_from(path)
        found = Dataset.import_from(path, on_error="skip")
        assert [item.id for item in found] == ["good"]
        assert found.report.problem_count == 1

    def test_bombs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("1.bmp", bytes(1 << 20))
        monkeypatch.setattr(image_zip, "MAX_FILE", 1 << 10)
        with pytest.raises(
            FormatError, match=r"file '1\.bmp': it has .* bytes and would have 1,048,576 when unpacked"
        ):
            Dataset.import_from(path)
        monkeypatch.setattr(image_zip, "MAX_TOTAL", 1 << 10)
        with pytest.raises(FormatError, match="would have 1,048,576 when unpacked: no archive of images has"):
            Dataset.import_from(path, on_error="skip")

    def test_encrypted_files(self, tmp_path: Path) -> None:
        path = archive(tmp_path / "x.zip", "1.png")
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)
        with pytest.raises(FormatError, match="it is encrypted"):
            Dataset.import_from(path)

    def test_damaged_archive(self, tmp_path: Path) -> None:
        (tmp_path / "x.zip").write_bytes(b"PK no archive")
        with pytest.raises(FormatError, match="is no ZIP archive, or damaged"):
            Dataset.import_from(tmp_path, "image_zip")

    def test_folder_without_archives(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="has no ZIP archives"):
            Dataset.import_from(tmp_path, "image_zip")


class TestWriting:
    def test_names_have_the_flag_for_utf8(self, tmp_path: Path) -> None:
        dataset("日本/ü", "plain").export(tmp_path / "out", "image_zip")
        with zipfile.ZipFile(tmp_path / "out/default.zip") as file:
            flags = {info.filename: info.flag_bits & 0x800 for info in file.infolist()}
            assert flags == {"日本/ü.png": 0x800, "plain.png": 0}
            assert file.testzip() is None

    @pytest.mark.parametrize(
        ("name", "method"), [("ZIP_STORED", 0), ("ZIP_DEFLATED", 8), ("ZIP_BZIP2", 12), ("ZIP_LZMA", 14)]
    )
    def test_compression(self, tmp_path: Path, name: str, method: int) -> None:
        dataset("1").export(tmp_path / "out", "image_zip", compression=name)
        with zipfile.ZipFile(tmp_path / "out/default.zip") as file:
            assert [info.compress_type for info in file.infolist()] == [method]
        (item,) = Dataset.import_from(tmp_path / "out")
        assert item.image is not None
        assert item.image.size == (4, 6)

    def test_name_of_the_archive(self, tmp_path: Path) -> None:
        both = dataset("1", subset="a").update(dataset("1", subset="b"))
        both.export(tmp_path / "out", "image_zip", name="all.zip")
        with zipfile.ZipFile(tmp_path / "out/all.zip") as file:
            assert file.namelist() == ["a/1.png", "b/1.png"]
        dataset("1", subset="a").export(tmp_path / "one", "image_zip", name="all.zip")
        with zipfile.ZipFile(tmp_path / "one/all.zip") as file:
            assert file.namelist() == ["1.png"]
