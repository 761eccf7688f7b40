"""Errors of annotated datasets: annotations, categories, items and media."""

from __future__ import annotations

from ddfast.errors.base import DdfastError

__all__ = ["AnnotationError", "CategoriesError", "ItemError", "MediaError"]


class AnnotationError(DdfastError, ValueError):
    """An annotation or a mask has a value that makes no sense."""


class CategoriesError(DdfastError, ValueError):
    """Labels, colours or key points of a dataset are invalid or contradict each other."""


class ItemError(DdfastError, ValueError):
    """A dataset item has an invalid id, subset or combination of media."""


class MediaError(DdfastError, ValueError):
    """An image, video or point cloud is described by values that make no sense, or is too large to decode."""
