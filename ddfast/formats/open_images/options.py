"""Options of reading and writing Open Images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddfast.annotated.format import option


@dataclass(frozen=True)
class OpenImagesReadOptions:
    """Options of reading Open Images."""

    image_meta: Any = option(
        None,
        "file with the sizes of images, or a map of ids to height and width (default: annotations/images.meta)",
    )


@dataclass(frozen=True)
class OpenImagesWriteOptions:
    """Options of writing Open Images."""

    image_ext: str = option("", "extension of images without one (default: .jpg)")
