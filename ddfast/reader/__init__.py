"""Readers of datasets."""

from ddfast.reader.abc import Reader
from ddfast.reader.msgpack import MsgpackReader

__all__ = ["MsgpackReader", "Reader"]
