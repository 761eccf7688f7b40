"""Helpers with the names that they have in datadings.tools."""

from ddfast.files import path_append, path_append_suffix
from ddfast.tools.argparse import argument_threads
from ddfast.tools.arrays import split_array, tiff_to_nd_array
from ddfast.tools.background_process import SentinelEnd, SentinelError, YielderProc, yield_process
from ddfast.tools.background_thread import Yielder, yield_threaded
from ddfast.tools.documentation import document_keys
from ddfast.tools.download import download_if_not_found
from ddfast.tools.hashing import hash_md5hex, hash_string, hash_string_bytes, load_md5file
from ddfast.tools.progress import BAR_FORMAT, DOWNLOAD_BAR, ProgressPrinter, make_printer, print_over
from ddfast.tools.prompt import query_user
from ddfast.tools.sources import (
    download_files_if_not_found,
    locate_files,
    prepare_indir,
    verify_file,
    verify_files,
)

__all__ = [
    "BAR_FORMAT",
    "DOWNLOAD_BAR",
    "ProgressPrinter",
    "SentinelEnd",
    "SentinelError",
    "Yielder",
    "YielderProc",
    "argument_threads",
    "document_keys",
    "download_files_if_not_found",
    "download_if_not_found",
    "hash_md5hex",
    "hash_string",
    "hash_string_bytes",
    "load_md5file",
    "locate_files",
    "make_printer",
    "path_append",
    "path_append_suffix",
    "prepare_indir",
    "print_over",
    "query_user",
    "split_array",
    "tiff_to_nd_array",
    "verify_file",
    "verify_files",
    "yield_process",
    "yield_threaded",
]
