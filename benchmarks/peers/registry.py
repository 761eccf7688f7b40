"""All peers. Importing this module imports none of them."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass

from benchmarks.peers.contract import Peer


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the tables.

    Parameters:
        name: name in options, and of its module in `benchmarks.peers.formats`.
        title: name in tables and plots.
        needs: distributions that it needs; the first one's version is reported.
        shares: the peer whose files it reads; empty if it has its own.
        is_limit: a physical limit, not a peer.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()
    shares: str = ""
    is_limit: bool = False

    @property
    def stored_as(self) -> str:
        """The folder of its files, named after the peer that writes them."""
        return self.shares or self.name

    def missing(self) -> list[str]:
        """Needed distributions that are not installed."""
        return [name for name in self.needs if not list(importlib.metadata.distributions(name=name))]

    def version(self) -> str:
        """Version of its package; empty if it has none."""
        try:
            return importlib.metadata.version(self.needs[0]) if self.needs else ""
        except importlib.metadata.PackageNotFoundError:
            return ""


PEERS = (
    Entry("ddfast", "ddfast"),
    Entry("ddfast_async", "ddfast, AsyncReader", shares="ddfast"),
    Entry("datadings", "datadings", ("datadings",), shares="ddfast"),
    Entry("lmdb", "LMDB", ("lmdb",)),
    Entry("array_record", "ArrayRecord", ("array_record",)),
    Entry("array_record_256", "ArrayRecord, groups of 256", ("array_record",)),
    Entry("grain", "Grain on ArrayRecord", ("grain", "array_record"), shares="array_record"),
    Entry("webdataset", "WebDataset", ("webdataset",)),
    Entry("mds", "MosaicML Streaming", ("mosaicml-streaming",)),
    Entry("litdata", "LitData", ("litdata",)),
    Entry("squirrel", "squirrel", ("squirrel-core", "msgpack-numpy")),
    Entry("hf_datasets", "HF datasets", ("datasets", "pyarrow")),
    Entry("lance", "Lance", ("pylance", "pyarrow")),
    Entry("parquet", "Parquet", ("pyarrow",)),
    Entry("parquet_binary", "Parquet, fixed-length binary", ("pyarrow",)),
    Entry("numpy_columns", "NumPy column files", ("numpy",)),
    Entry("ffcv", "FFCV", ("ffcv",)),
    Entry("preadv", "limit: preadv", shares="ddfast", is_limit=True),
    Entry("memory", "limit: memory copy", shares="ddfast", is_limit=True),
)
BY_NAME = {entry.name: entry for entry in PEERS}


def load(name: str) -> Peer:
    """The peer; imports its packages."""
    peer = importlib.import_module(f"benchmarks.peers.formats.{name}").PEER
    assert isinstance(peer, Peer)
    return peer
