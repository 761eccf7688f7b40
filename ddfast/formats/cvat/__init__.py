"""CVAT: XML files 1.1 of images and videos."""

from ddfast.formats.cvat.format import Cvat

__all__ = ["Cvat"]
