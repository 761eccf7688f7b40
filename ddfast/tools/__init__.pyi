from .argparse import argument_threads
from .arrays import split_array, tiff_to_nd_array
from .background_process import SentinelEnd, SentinelError, YielderProc, yield_process
from .background_thread import Yielder, yield_threaded
from .documentation import document_keys
from .download import download_if_not_found
from .hashing import hash_md5hex, hash_string, hash_string_bytes, load_md5file
from .paths import path_append, path_append_suffix
from .progress import BAR_FORMAT, DOWNLOAD_BAR, ProgressPrinter, make_printer, print_over
from .prompt import query_user
from .sources import (
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
