"""ArrayRecord with groups of 256 records, as reading in order wants it."""

from benchmarks.peers.formats.array_record import ArrayRecord

PEER = ArrayRecord(group_size=256)
