"""Members of a ZIP archive, read by position: threads and forked processes share it without a lock."""

from __future__ import annotations

import bz2
import lzma
import struct
import sys
import zlib
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from ddfast._native.file import File
from ddfast.errors import (
    CorruptArchiveError,
    DatasetNotFoundError,
    EncryptedMemberError,
    MemberNotFoundError,
    ReadError,
    UnsupportedCompressionError,
)

# Section 4.3.7 of the ZIP specification, APPNOTE.TXT: a member begins with this.
LOCAL_HEADER = struct.Struct("<4s22xHH")
LOCAL_SIGNATURE = b"PK\x03\x04"
LZMA_HEADER = struct.Struct("<2xH")
ENCRYPTED, HAS_END_MARK, IS_PATCH, IS_UTF8 = 1 << 0, 1 << 1, 1 << 5, 1 << 11


class Archive:
    """A ZIP archive.

    Its file stays open. It is opened again when it is used after `close`, or where it was pickled. Copies share it.

    Parameters:
        path: the archive.

    Raises:
        DatasetNotFoundError: there is no such file.
        CorruptArchiveError: it is no ZIP archive, or its list of members is damaged.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file: File | None = File(path)
            with ZipFile(path) as archive:
                self._infos = archive.infolist()
                self._info_of = archive.NameToInfo
        except FileNotFoundError:
            raise DatasetNotFoundError(f"{path} not found") from None
        except (BadZipFile, NotImplementedError, struct.error, ValueError, EOFError) as error:
            raise CorruptArchiveError(f"{path} is no ZIP archive, or is damaged: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __copy__(self) -> Archive:
        archive = Archive.__new__(Archive)
        archive.__dict__.update(self.__dict__)
        return archive

    def infolist(self) -> list[ZipInfo]:
        """All members, in the order of the archive's list."""
        return self._infos

    def close(self) -> None:
        """Close the file, when no thread reads it any more."""
        self._file = None

    def _open(self) -> File:
        file = self._file  # another thread may close the archive meanwhile
        if file is None:
            file = self._file = File(self.path)
        return file

    def read(self, name: str) -> bytes:
        """Content of a member.

        Raises:
            MemberNotFoundError: there is none of this name.
            EncryptedMemberError: it is encrypted.
            UnsupportedCompressionError: it is compressed by a method that is not known here.
            CorruptArchiveError: it is damaged, or not as long as the archive says.
            ReadError: the archive cannot be read.
        """
        info = self._info_of.get(name)
        if info is None:
            raise MemberNotFoundError(f"{self.path} has no member {name!r}")
        if info.flag_bits & ENCRYPTED:
            raise EncryptedMemberError(
                f"{self.path}: {name!r} is encrypted. Unpack the archive with its password."
            )
        try:
            return _unpack(_packed(self._open(), info), info)
        except (_DamageError, ValueError, OverflowError) as error:
            raise CorruptArchiveError(
                f"{self.path}: {name!r} is damaged: {error}. `unzip -t` lists all damage; copy the archive again."
            ) from error
        except OSError as error:
            raise ReadError(error.errno, f"{error.strerror}: cannot read {name!r} of", self.path) from error


class _DamageError(Exception):
    """What is wrong with a member."""


def _packed(file: File, info: ZipInfo) -> bytes:
    """The bytes of a member, as they are in the archive."""
    name = info.orig_filename.encode("utf-8" if info.flag_bits & IS_UTF8 else "cp437")
    start = info.header_offset
    header = file.read(start, LOCAL_HEADER.size + len(name))
    signature, name_size, extra_size = LOCAL_HEADER.unpack_from(header)
    if signature != LOCAL_SIGNATURE or name_size != len(name) or not header.endswith(name):
        raise _DamageError(f"it does not begin at byte {start:,}, where the list of members has it")
    return file.read(start + len(header) + extra_size, info.compress_size)


def _unpack(packed: bytes, info: ZipInfo) -> bytes:
    # One byte more than there should be shows that there are more, without unpacking how many.
    limit = min(info.file_size + 1, sys.maxsize)
    try:
        data = _decompress(packed, limit, info)
    except (zlib.error, lzma.LZMAError, struct.error, EOFError, OSError) as error:
        raise _DamageError(str(error)) from error
    if len(data) != info.file_size:
        found = "more" if len(data) > info.file_size else f"only {len(data):,}"
        raise _DamageError(f"it should have {info.file_size:,} bytes and has {found}")
    if zlib.crc32(data) != info.CRC:
        raise _DamageError("its content has another CRC-32 than the archive says")
    return data


def _decompress(packed: bytes, limit: int, info: ZipInfo) -> bytes:
    """At most `limit` bytes of a member's content."""
    if info.flag_bits & IS_PATCH:
        raise UnsupportedCompressionError(f"{info.filename!r} is a patch, not a file")
    if info.compress_type == ZIP_STORED:
        return packed
    if info.compress_type == ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
    if info.compress_type == ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, limit)
    if info.compress_type == ZIP_LZMA:
        (properties,) = LZMA_HEADER.unpack_from(packed)
        header, body = packed[LZMA_HEADER.size :][:properties], packed[LZMA_HEADER.size + properties :]
        # The format of .lzma files has the same properties, and the size of the content or -1.
        size = -1 if info.flag_bits & HAS_END_MARK else info.file_size
        whole = header + size.to_bytes(8, "little", signed=True) + body
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(whole, limit)
    raise UnsupportedCompressionError(
        f"{info.filename!r} is compressed by method {info.compress_type}, which Python cannot undo: unpack "
        "the archive, or make it again with deflate"
    )
