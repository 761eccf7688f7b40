"""Media other than images: point clouds, videos, images with several frames."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ddfast.annotated.image import Image, MediaElement, as_image
from ddfast.errors import MediaError

__all__ = ["MultiframeImage", "PointCloud", "Video"]


class PointCloud(MediaElement):
    """Points in space, in a file.

    Parameters:
        path: the file.
        extra_images: images of the same scene: paths, pixels or `Image` objects.
    """

    def __init__(self, path: str | os.PathLike[str], extra_images: Iterable[Any] | None = None) -> None:
        super().__init__(path)
        if not self._path:
            raise MediaError("a PointCloud needs a path")
        self.extra_images = [as_image(image) for image in extra_images or ()]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PointCloud):
            return NotImplemented
        return self.path == other.path and self.extra_images == other.extra_images

    __hash__ = None


class Video(MediaElement):
    """A video file; ddfast does not decode it.

    Parameters:
        path: the file.
        step: every how many frames an item is.
        start_frame: the first frame, from 0.
        end_frame: the last frame; None if it is the last of the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        step: int = 1,
        start_frame: int = 0,
        end_frame: int | None = None,
    ) -> None:
        super().__init__(path)
        if not self._path:
            raise MediaError("a Video needs a path")
        if step < 1 or start_frame < 0 or (end_frame is not None and end_frame < start_frame):
            raise MediaError(
                f"Video {self._path!r} has frames {start_frame} to {end_frame} in steps of {step}; frames count from 0"
            )
        self.step = step
        self.start_frame = start_frame
        self.end_frame = end_frame

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Video):
            return NotImplemented
        return (self.path, self.step, self.start_frame, self.end_frame) == (
            other.path,
            other.step,
            other.start_frame,
            other.end_frame,
        )

    __hash__ = None


class MultiframeImage(MediaElement):
    """Several images that belong together, such as the slices of a volume.

    Parameters:
        images: paths, pixels or `Image` objects, in order.
        path: the file or folder that holds them.
    """

    def __init__(
        self, images: Iterable[Any] | None = None, path: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__(path)
        self.images = [as_image(image) for image in images or ()]
        if not self.images and not self._path:
            raise MediaError("a MultiframeImage needs images or a path")

    @property
    def data(self) -> list[Image]:
        """The images."""
        return self.images

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MultiframeImage):
            return NotImplemented
        return self.path == other.path and self.images == other.images

    __hash__ = None
