"""What readers do with samples that they cannot deliver: the policy behind ``on_error``."""

from ddfast.loading.on_error import (
    BadSample,
    OnError,
    Policy,
    Quarantine,
    Source,
    is_of_a_sample,
    is_of_storage,
)

__all__ = [
    "BadSample",
    "OnError",
    "Policy",
    "Quarantine",
    "Source",
    "is_of_a_sample",
    "is_of_storage",
]
