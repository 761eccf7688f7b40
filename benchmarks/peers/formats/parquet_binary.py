"""Parquet through pyarrow, arrays as bytes of fixed length."""

from benchmarks.peers.formats.parquet import Parquet

PEER = Parquet(binary=True)
