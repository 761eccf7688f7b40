"""The ``cached_property`` of the standard library, under the name that it has in datadings."""

from functools import cached_property

__all__ = ["cached_property"]
