"""Coordinates as float32 without a loss, where their decimals allow it."""

from ddfast._native.points import pack_points, unpack_points

__all__ = ["pack_points", "unpack_points"]
