"""How readers handle samples that they cannot deliver: the policy behind ``on_error``."""

from ddfast._util.moved import moved_names
from ddfast.loading.on_error import (
    BadSample,
    ErrorPolicy,
    OnError,
    Quarantine,
    SampleSource,
    is_of_a_sample,
    is_of_storage,
)

__all__ = [
    "BadSample",
    "ErrorPolicy",
    "OnError",
    "Quarantine",
    "SampleSource",
    "is_of_a_sample",
    "is_of_storage",
]

__getattr__ = moved_names(
    __name__, {"Policy": "ddfast.policy.ErrorPolicy", "Source": "ddfast.policy.SampleSource"}
)
