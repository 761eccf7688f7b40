"""Readers of datasets."""

from ddfast.reader.abc import Reader
from ddfast.reader.msgpack import MsgpackReader
from ddfast.reader.sharded import ShardedReader

__all__ = ["MsgpackReader", "Reader", "ShardedReader"]
