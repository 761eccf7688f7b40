"""How samples are given."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Form"]


class Form(NamedTuple):
    """How samples are given; the parameters of `Reader.get`."""

    yield_key: bool = False
    raw: bool = False
    copy: bool = True
