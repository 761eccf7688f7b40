"""Members of a ZIP archive, read by position, so that threads and forked processes need no lock."""

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

# Header of a member: section 4.3.7 of the ZIP specification, APPNOTE.TXT.
LOCAL_HEADER = struct.Struct("<4s22xHH")
LOCAL_SIGNATURE = b"PK\x03\x04"
LZMA_HEADER = struct.Struct("<2xH")
ENCRYPTED, HAS_END_MARK, IS_PATCH, IS_UTF8 = 1 << 0, 1 << 1, 1 << 5, 1 << 11


class Archive:
    """A ZIP archive.

    Its file stays open. It is opened again when it is used after `close` or after unpickling. Copies share the file.

    Parameters:
        path: the archive.

    Raises:
        DatasetNotFoundError: the file does not exist.
        CorruptArchiveError: the file is not a ZIP archive, or its list of members is damaged.
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
            raise CorruptArchiveError(f"{path} is not a ZIP archive, or is damaged: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __copy__(self) -> Archive:
        archive = Archive.__new__(Archive)
        archive.__dict__.update(self.__dict__)
        return archive

    def infolist(self) -> list[ZipInfo]:
        """All members, in the order of the archive."""
        return self._infos

    def close(self) -> None:
        """Close the file as soon as no thread reads it."""
        self._file = None

    def _open(self) -> File:
        file = self._file  # another thread may close the archive
        if file is None:
            file = self._file = File(self.path)
        return file

    def read(self, name: str) -> bytes:
        """Content of a member.

        Raises:
            MemberNotFoundError: there is no member of this name.
            EncryptedMemberError: the member is encrypted.
            UnsupportedCompressionError: its compression method is not supported.
            CorruptArchiveError: it is damaged, or its length is not the stored one.
            ReadError: the archive cannot be read.
        """
        info = self._info_of.get(name)
        if info is None:
            raise MemberNotFoundError(f"{self.path} has no member {name!r}")
        if info.flag_bits & ENCRYPTED:
            raise EncryptedMemberError(
                f"{self.path}: {name!r} is encrypted. Extract the archive with its password."
            )
        try:
            return _unpack(_packed(self._open(), info), info)
        except (_DamageError, ValueError, OverflowError) as error:
            raise CorruptArchiveError(
                f"{self.path}: {name!r} is damaged: {error}. Copy the archive again; `unzip -t` lists all damage."
            ) from error
        except OSError as error:
            raise ReadError(error.errno, f"{error.strerror}: cannot read {name!r} of", self.path) from error


class _DamageError(Exception):
    """A member is damaged; the message describes the damage."""


def _packed(file: File, info: ZipInfo) -> bytes:
    """The bytes of a member, as they are in the archive."""
    name = info.orig_filename.encode("utf-8" if info.flag_bits & IS_UTF8 else "cp437")
    start = info.header_offset
    header = file.read(start, LOCAL_HEADER.size + len(name))
    signature, name_size, extra_size = LOCAL_HEADER.unpack_from(header)
    if signature != LOCAL_SIGNATURE or name_size != len(name) or not header.endswith(name):
        raise _DamageError(f"it does not begin at byte {start:,}, the position in the list of members")
    return file.read(start + len(header) + extra_size, info.compress_size)


def _unpack(packed: bytes, info: ZipInfo) -> bytes:
    # One byte more than expected is enough to detect that the content is too long.
    limit = min(info.file_size + 1, sys.maxsize)
    try:
        data = _decompress(packed, limit, info)
    except (zlib.error, lzma.LZMAError, struct.error, EOFError, OSError) as error:
        raise _DamageError(str(error)) from error
    if len(data) != info.file_size:
        found = "more" if len(data) > info.file_size else f"only {len(data):,}"
        raise _DamageError(f"it should have {info.file_size:,} bytes but has {found}")
    if zlib.crc32(data) != info.CRC:
        raise _DamageError("the CRC-32 of its content does not match")
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
        f"{info.filename!r} uses compression method {info.compress_type}, which is not supported. Extract "
        "the archive, or create it again with deflate"
    )
