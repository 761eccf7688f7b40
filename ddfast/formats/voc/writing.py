"""Writes tables as a Pascal VOC dataset."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.media_reader import MediaReader
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.tables import codes, integers
from ddfast.errors import FormatError
from ddfast.formats.voc.content import BOX_TASKS, VocContent
from ddfast.formats.voc.label_map import format_label_map
from ddfast.formats.voc.lists import SubsetLists, checked_id
from ddfast.formats.voc.mask_images import MaskImages
from ddfast.formats.voc.objects import ObjectTexts
from ddfast.formats.voc.options import chosen_tasks
from ddfast.formats.xml import escaped

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.tables import Tables
    from ddfast.formats.voc.options import VocWriteOptions

# Items that are turned into text at a time.
BLOCK = 4096

HEAD = (
    "<annotation>\n\t<folder>JPEGImages</folder>\n\t<filename>{}</filename>\n"
    "\t<source>\n\t\t<database>Unknown</database>\n\t\t<annotation>Unknown</annotation>\n"
    "\t\t<image>Unknown</image>\n\t</source>\n{}\t<segmented>{:d}</segmented>\n"
)
SIZE = "\t<size>\n\t\t<width>{}</width>\n\t\t<height>{}</height>\n\t</size>\n"
TAIL = b"</annotation>\n"


def write(
    tables: Tables,
    output: OutputFolder,
    options: VocWriteOptions,
    report: Report,
    media: bool,
    tasks: Sequence[str],
) -> None:
    """Write the files of some tasks, and the images.

    Raises:
        FormatError: an id or a label has characters that the files cannot hold.
    """
    VocWriter(tables, output, options, report, media, chosen_tasks(options.tasks, tasks)).write()


class VocWriter:
    """Writes one dataset; parameters as of `write`."""

    def __init__(
        self,
        tables: Tables,
        output: OutputFolder,
        options: VocWriteOptions,
        report: Report,
        media: bool,
        tasks: Sequence[str],
    ) -> None:
        self._tables = tables
        self._output = output
        self._report = report
        self._media = media
        self._content = VocContent(tables, options, tasks)
        self._objects = ObjectTexts(
            tables, self._content, attributes=options.allow_attributes, one_based=options.one_based
        )
        self._images = MaskImages(tables, self._content, colored=options.apply_colormap)
        self._lists = SubsetLists(self._content, keep_empty=options.keep_empty)
        self._ids: list[str] = tables.items.column("id").to_pylist() if tables.items.num_rows else []
        self._names = file_names(tables, options.image_ext)
        self._sizes = [integers(tables.items, name).tolist() for name in ("height", "width")]
        self._repeated = {key for key, count in Counter(self._ids).items() if count > 1}
        self._written: dict[str, bytes] = {}  # digest of the files of ids that several items have
        self._renamed = 0
        self._copies: list[tuple[int, str]] = []
        self._xml = bool(BOX_TASKS & set(tasks))

    def write(self) -> None:
        """Write everything."""
        count = self._tables.items.num_rows
        numbers, subsets = codes(self._tables.items, "subset")
        keys = [""] * count
        for first, stop in self._tables.blocks(BLOCK):
            self._write_block(first, stop, keys)
            self._report.advance(stop, 0 if self._media else count)
        for code, subset in enumerate(subsets):
            rows = np.flatnonzero(numbers == code)
            if len(rows):
                self._lists.write(self._output, subset, rows, keys, self._tables, self._objects)
        if self._copies:
            rows_of_images, names = zip(*self._copies, strict=True)
            save_images(self._tables, rows_of_images, names, self._output, self._report)
        self._output.write("labelmap.txt", format_label_map(self._content.entries))
        self._note(count)

    def _note(self, count: int) -> None:
        content, report = self._content, self._report
        report.counts["items"] += count
        report.counts["annotations"] += int(
            content.objects.sum() + len(content.owners) + content.masks.sum() + content.classes.sum()
        )
        if self._renamed:
            report.notes.append(
                f"{self._renamed:,} items have the id of an item of another subset, but not its annotations or image;"
                " they were written under the name of their subset, such as val/NAME"
            )
        if self._images.hidden:
            report.notes.append(
                f"{self._images.hidden:,} masks are partly behind others; a pixel of voc belongs to one object"
            )

    def _write_block(self, first: int, stop: int, keys: list[str]) -> None:
        data, ends = self._objects.texts(first, stop)
        view = memoryview(data)
        offsets = ends.tolist()
        for row in range(first, stop):
            key = checked_id(self._ids[row])
            body = view[offsets[row - first] : offsets[row - first + 1]]
            images = self._images.of(row)
            if key in self._repeated:
                taken = self._key_of_repeated(row, key, bytes(body), images)
                if taken is None:
                    keys[row] = key
                    continue
                key = taken
            keys[row] = key
            if self._xml:
                head = self._head(row, key, bool(images)).encode()
                self._output.write(f"Annotations/{key}.xml", b"".join((head, body, TAIL)))
            for folder, content in images.items():
                self._output.write(f"{folder}/{key}.png", content)
            if self._media:
                self._copies.append((row, f"JPEGImages/{self._file_name(row, key)}"))

    def _file_name(self, row: int, key: str) -> str:
        return key + self._names[row][len(self._ids[row]) :]

    def _head(self, row: int, key: str, segmented: bool) -> str:
        height, width = self._sizes[0][row], self._sizes[1][row]
        size = SIZE.format(width, height) if height and width else ""
        return HEAD.format(escaped(self._file_name(row, key), "id"), size, segmented)

    def _key_of_repeated(self, row: int, key: str, body: bytes, images: dict[str, bytes]) -> str | None:
        """The name of the files of an item whose id others have, too; None if the same files were written before.

        Raises:
            FormatError: there is no free name.
        """
        digest = hashlib.blake2b(body)
        for folder, content in images.items():
            digest.update(folder.encode() + content)
        digest.update(repr([sizes[row] for sizes in self._sizes]).encode() + self._image_of(row))
        if key not in self._written:
            self._written[key] = digest.digest()
            return key
        if self._written[key] == digest.digest():
            return None
        other = f"{self._tables.items.column('subset')[row].as_py() or 'default'}/{key}"
        if other in self._known_ids:
            raise FormatError(
                f"Items {key!r} of two subsets differ, and {other!r} is an item, too. Rename one of them"
            )
        self._renamed += 1
        return other

    @cached_property
    def _known_ids(self) -> set[str]:
        return set(self._ids)

    def _image_of(self, row: int) -> bytes:
        """What tells the image of an item from others."""
        if self._media:
            return hashlib.blake2b(MediaReader(self._tables).read(row) or b"").digest()
        names = [name for name in ("place", "path", "key") if name in self._tables.items.column_names]
        values: list[Any] = [self._tables.items.column(name)[row].as_py() for name in names]
        return repr(values).encode()
