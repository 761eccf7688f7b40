"""ZIP archives of images without annotations."""

from __future__ import annotations

import os
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.format import Capabilities, Detection, Format, option
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.media_reader import MediaReader
from ddfast.annotated.output_media import file_names
from ddfast.annotated.paths import image_extension, inner_path
from ddfast.annotated.tables import Tables
from ddfast.errors import EscapingPathError, FormatError
from ddfast.formats.image_dir import losses_with_images
from ddfast.formats.image_items import SUBSET_NAME, ids_of, image_table, subsets_of, with_image

if TYPE_CHECKING:
    from collections import Counter

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

LAYOUT = """\
images/
├── train.zip                       an archive for each subset
│   ├── 1.jpg
│   └── folder/2.png                the item folder/2
└── val.zip
"""

METHODS = ("ZIP_STORED", "ZIP_DEFLATED", "ZIP_BZIP2", "ZIP_LZMA")

# An archive is refused if its files, or one of them, would be so large and so many times larger than it is.
MAX_RATIO = 200
MAX_FILE, MAX_TOTAL = 1 << 28, 1 << 30  # bytes

ENCRYPTED, UTF8 = 0x1, 0x800  # flags of a file in an archive
EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of all files, so that two archives of the same images are equal
READABLE = 0o644 << 16


@dataclass(frozen=True)
class ImageZipReadOptions:
    """Options of reading archives of images."""

    subset: str = option(
        "",
        "name of the subset of the images (default: that of the archive if it is train, val... or there are several)",
    )


@dataclass(frozen=True)
class ImageZipWriteOptions:
    """Options of writing archives of images."""

    image_ext: str = option("", "extension of images without one (default: .jpg)")
    name: str = option("", "name of one archive for all subsets (default: SUBSET.zip for each subset)")
    compression: str = option("ZIP_STORED", "how images are compressed", METHODS)


class ImageZip(Format):
    """Images in ZIP archives, which are not unpacked."""

    name = "image_zip"
    title = "ZIP archives of images without annotations"
    layout = LAYOUT
    holds = Capabilities()
    ReadOptions = ImageZipReadOptions
    WriteOptions = ImageZipWriteOptions

    def detect(self, source: SourceFolder) -> Detection | None:
        for name in source.candidates(".zip"):
            path = os.fspath(source.path(name))
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    if any(map(image_extension, archive.namelist())):
                        return Detection(self.name, 40, f"{name} is a ZIP archive of images")
        return None

    def read(self, source: SourceFolder, options: ImageZipReadOptions, report: Report) -> Tables:
        """The images of all archives; the archives must stay where they are.

        Raises:
            FormatError: there is no archive, one is damaged, or would be far too large when unpacked.
        """
        archives = source.candidates(".zip")
        if not archives:
            raise FormatError(f"{source} has no ZIP archives")
        ids: list[str] = []
        subsets: list[str] = []
        places: list[str] = []
        paths: list[str] = []
        for name in archives:
            path = os.fspath(source.path(name))
            stem = name[: -len(".zip")]
            known = len(archives) > 1 or SUBSET_NAME.fullmatch(posixpath.basename(stem))
            subset = options.subset or (stem if known else DEFAULT_SUBSET)
            files = list(_images(path, report))
            own = ids_of([shown for shown, _ in files], report)
            ids += own if not options.subset or len(archives) == 1 else [f"{stem}/{one}" for one in own]
            subsets += [subset] * len(files)
            places += [path] * len(files)
            paths += [inner for _, inner in files]
        return Tables.of(image_table(ids, subsets, places, paths), TableBuilder.of_annotations().finish(), {})

    def losses(self, tables: Tables, options: ImageZipWriteOptions) -> Counter[str]:
        return losses_with_images(tables, self.holds)

    def write(
        self,
        tables: Tables,
        output: OutputFolder,
        options: ImageZipWriteOptions,
        report: Report,
        media: bool,
    ) -> None:
        """Write the archives; their images are all that there is to write, whether ``media`` says so or not."""
        names, subsets = file_names(tables, options.image_ext), subsets_of(tables)
        rows = np.flatnonzero(with_image(tables)).tolist()
        several = len({subsets[row] for row in rows}) > 1
        archives: dict[str, list[tuple[int, str]]] = {}
        for row in rows:
            inner = f"{subsets[row]}/{names[row]}" if options.name and several else names[row]
            archives.setdefault(options.name or f"{subsets[row]}.zip", []).append((row, inner))
        reader = MediaReader(tables)
        for archive, files in archives.items():
            with output.open(archive) as file:
                _write_archive(file, files, reader, getattr(zipfile, options.compression), report)
        report.counts["items"] += len(rows)
        report.counts["images"] += reader.count


def _images(path: str, report: Report) -> Iterator[tuple[str, str]]:
    """Name of each image of an archive, in Unicode, and as the archive has it."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise FormatError(f"{path} is no ZIP archive, or damaged: {error}") from error
    size, total = Path(path).stat().st_size, sum(file.file_size for file in files)
    if total > max(MAX_TOTAL, MAX_RATIO * size):
        raise FormatError(
            f"{path} has {size:,} bytes and would have {total:,} when unpacked: no archive of images has"
        )
    for file in files:
        name = _unicode_name(file)
        if file.is_dir() or not image_extension(name) or _is_hidden(name):
            continue
        problem = _problem(file, name)
        if problem:
            report.problem(problem, path, f"file {name!r}")
        else:
            yield inner_path(name), file.filename


def _unicode_name(file: zipfile.ZipInfo) -> str:
    """The name of a file; without the flag for UTF-8 it may still be UTF-8, which many programs write."""
    if file.flag_bits & UTF8 or file.filename.isascii():
        return file.filename
    try:
        return file.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return file.filename


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or any(
        part.startswith(".") for part in name.split("/") if part != ".."
    )


def _problem(file: zipfile.ZipInfo, name: str) -> str | None:
    """What is wrong with a file of an archive."""
    if file.flag_bits & ENCRYPTED:
        return "it is encrypted"
    if file.file_size > max(MAX_FILE, MAX_RATIO * file.compress_size):
        return f"it has {file.compress_size:,} bytes and would have {file.file_size:,} when unpacked"
    try:
        inner_path(name)
    except EscapingPathError as error:
        return str(error)
    return None


def _write_archive(
    file: BinaryIO, files: list[tuple[int, str]], reader: MediaReader, method: int, report: Report
) -> None:
    written: set[str] = set()
    with zipfile.ZipFile(file, "w", method) as archive:
        for done, (row, name) in enumerate(files, 1):
            content = reader.read(row)
            report.advance(done, len(files))
            if content is None:
                continue
            inner = inner_path(name)
            if inner in written:
                raise FileExistsError(f"Two images would have the name {inner!r} in an archive")
            written.add(inner)
            info = zipfile.ZipInfo(inner, EPOCH)
            info.external_attr, info.compress_type = READABLE, method
            archive.writestr(info, content)
