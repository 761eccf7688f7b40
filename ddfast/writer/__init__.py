"""Writers of datasets."""

from ddfast._util.lazily import from_stub
from ddfast._util.moved import moved_names

# __init__.pyi lists where each name is defined; a name is imported when it is first used.
_names, __dir__, __all__ = from_stub(__name__)

__getattr__ = moved_names(
    __name__,
    {
        "Leftover": "ddfast.recovery.UnfinishedDataset",
        "Lost": "ddfast.recovery.LostSamples",
        "Piece": "ddfast.writer.PackedSamples",
        "Salvage": "ddfast.recovery.Salvage",
        "discard_leftover": "ddfast.recovery.discard_unfinished",
        "find_leftover": "ddfast.recovery.find_unfinished",
        "finish_leftover": "ddfast.recovery.finish_unfinished",
    },
    _names,
)
