"""The contract of a storage: one object of bytes that does not change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Span", "Stat", "Storage"]

Span = tuple[int, int]


class Stat(NamedTuple):
    """What is known of an object: its size in bytes, and what changes when its content does."""

    size: int
    version: str | None


class Storage(ABC):
    """One object of bytes."""

    url: str

    @abstractmethod
    def stat(self) -> Stat:
        """Size and version."""

    @abstractmethod
    async def stat_async(self) -> Stat:
        """Size and version."""

    @abstractmethod
    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """One attempt: fill every buffer wholly, or raise."""

    @abstractmethod
    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """One attempt: fill every buffer wholly, or raise. Nothing is written once it has ended or was cancelled."""

    @abstractmethod
    def beside(self, suffix: str) -> Storage:
        """The object whose name is this one's, lengthened by a suffix."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    @abstractmethod
    async def close_async(self) -> None:
        """Let go of everything."""
