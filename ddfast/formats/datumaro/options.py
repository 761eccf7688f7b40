"""Options of reading and writing Datumaro's format."""

from __future__ import annotations

from dataclasses import dataclass

from ddfast.annotated.format import option


@dataclass(frozen=True)
class DatumaroReadOptions:
    """Options of reading Datumaro's format."""


@dataclass(frozen=True)
class DatumaroWriteOptions:
    """Options of writing Datumaro's format."""

    image_ext: str = option("", "extension of images without one (default: .jpg)")
    only_annotated: bool = option(False, "leave out items that have neither annotations nor a status")
