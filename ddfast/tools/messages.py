"""Names and values from files in messages."""

from __future__ import annotations

from ddfast._util.brief import brief, shortened

__all__ = ["brief", "shortened"]
