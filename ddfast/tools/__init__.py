"""Helpers with the names that they have in datadings.tools."""

from ddfast.files import path_append, path_append_suffix
from ddfast.tools.argparse import argument_threads
from ddfast.tools.arrays import split_array, tiff_to_nd_array
from ddfast.tools.background_process import SentinelEnd, SentinelError, YielderProc, yield_process
from ddfast.tools.background_thread import Yielder, yield_threaded
from ddfast.tools.documentation import document_keys
from ddfast.tools.hashing import hash_md5hex, hash_string, hash_string_bytes, load_md5file
from ddfast.tools.progress import BAR_FORMAT, DOWNLOAD_BAR, ProgressPrinter, make_printer, print_over
from ddfast.tools.prompt import query_user

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
    "hash_md5hex",
    "hash_string",
    "hash_string_bytes",
    "load_md5file",
    "make_printer",
    "path_append",
    "path_append_suffix",
    "print_over",
    "query_user",
    "split_array",
    "tiff_to_nd_array",
    "yield_process",
    "yield_threaded",
]
