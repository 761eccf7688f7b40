"""The ``cached_property`` of the standard library, under its name in datadings."""

from functools import cached_property

__all__ = ["cached_property"]
