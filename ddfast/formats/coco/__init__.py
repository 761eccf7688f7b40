"""COCO: JSON files of images, annotations and categories, one for each task and subset."""

from ddfast.formats.coco.format import Coco

__all__ = ["Coco"]
