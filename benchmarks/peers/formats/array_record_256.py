"""ArrayRecord with groups of 256 records, for reading in order."""

from benchmarks.peers.formats.array_record import ArrayRecord

PEER = ArrayRecord(group_size=256)
