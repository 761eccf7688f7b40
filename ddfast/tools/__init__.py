"""Helpers with the names that they have in datadings.tools."""

from ddfast.files import path_append, path_append_suffix
from ddfast.tools.hashing import hash_md5hex, hash_string, hash_string_bytes, load_md5file
from ddfast.tools.progress import ProgressPrinter, make_printer, print_over
from ddfast.tools.prompt import query_user

__all__ = [
    "ProgressPrinter",
    "hash_md5hex",
    "hash_string",
    "hash_string_bytes",
    "load_md5file",
    "make_printer",
    "path_append",
    "path_append_suffix",
    "print_over",
    "query_user",
]
