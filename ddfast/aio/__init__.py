"""Asynchronous readers."""

from ddfast.aio.reader import AsyncReader

__all__ = ["AsyncReader"]
