"""Readers of datasets."""

from ddfast.reader.abc import Reader
from ddfast.reader.directory import DirectoryReader
from ddfast.reader.list import ListReader
from ddfast.reader.msgpack import MsgpackReader
from ddfast.reader.zipfile import ZipFileReader

__all__ = ["DirectoryReader", "ListReader", "MsgpackReader", "Reader", "ZipFileReader"]
