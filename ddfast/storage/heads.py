"""Heads of requests for ranges over HTTP/1.1, and of answers to them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from ddfast.storage.base import Span
from ddfast.storage.failures import retry_after
from ddfast.storage.stores import HTTP, client_options
from ddfast.storage.urls import Location

__all__ = ["Answer", "Route", "head_of_answer", "head_of_request", "head_with_range", "route_to"]

# A client that is told more than this is left to obstore, which knows what it means.
SIMPLE_OPTIONS = {"timeout", "allow_http", "default_headers"}
# Others than those that are plain in a path, and than those of a query; "%" is part of what is encoded already.
IN_PATH = "/%!$&'()*+,;=:@~"
IN_QUERY = IN_PATH + "?"

ACCEPT = "Accept: */*\r\nAccept-Encoding: identity\r\n"
OWN = {"host", "accept", "accept-encoding", "range", "if-match", "connection"}


class Route(NamedTuple):
    """Where a connection leads, and what is said with every request over it.

    Attributes:
        host, port: of the server.
        secure: whether TLS is spoken.
        authority: host and port as in the URL.
        headers: further lines, each with its end.
    """

    host: str
    port: int
    secure: bool
    authority: str
    headers: str


class Answer(NamedTuple):
    """What the head of an answer says.

    Attributes:
        status: the number.
        length: bytes of the body; None where that is not said.
        start: the first byte of the object that is in the body; None where that is not said.
        size: bytes of the object; None where that is not said.
        tag: the ETag, or None.
        lasts: whether the connection may be used for another request.
        retry_after: seconds to wait before another request; None where that is not said.
    """

    status: int
    length: int | None = None
    start: int | None = None
    size: int | None = None
    tag: str | None = None
    lasts: bool = True
    retry_after: float | None = None


def route_to(location: Location, options: Mapping[str, Any]) -> Route | None:
    """The way to a server; None where it is too winding: through a proxy, or with settings that only obstore knows."""
    if location.scheme not in HTTP or set(options) - {"client_options"}:
        return None
    authority = location.root.rpartition("@")[2]
    client = client_options(location, options)
    headers = {**client.get("default_headers", {})}
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or not authority.isascii() or set(client) - SIMPLE_OPTIONS or not _are_simple(headers):
        return None
    if location.scheme in getproxies() and not proxy_bypass(host):
        return None
    secure = location.scheme == "https"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Route(host, port or (443 if secure else 80), secure, authority, lines)


def _are_simple(headers: Mapping[Any, Any]) -> bool:
    texts = [text for pair in headers.items() for text in pair]
    return all(isinstance(text, str) and text.isascii() and text.isprintable() for text in texts) and not any(
        name.lower() in OWN for name in headers
    )


def head_of_request(route: Route, location: Location, tag: str | None) -> bytes:
    """All of a request but the range, which `head_with_range` adds.

    Parameters:
        route: to the server.
        location: of the object.
        tag: the version that is wanted; None for any.
    """
    target = "/" + quote(location.key, IN_PATH) + quote(location.query, IN_QUERY)
    condition = f"If-Match: {tag}\r\n" if tag is not None else ""
    lines = f"GET {target} HTTP/1.1\r\nHost: {route.authority}\r\n{ACCEPT}{route.headers}{condition}"
    return lines.encode("latin-1")


def head_with_range(head: bytes, span: Span) -> bytes:
    """A request, complete."""
    return b"%bRange: bytes=%d-%d\r\n\r\n" % (head, span[0], span[1] - 1)


def head_of_answer(head: bytes) -> Answer:
    """What the head of an answer says; it ends before the empty line.

    Raises:
        ValueError: it is none of HTTP/1.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not an answer of HTTP: {first[:60]!r}")
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    start, size = _content_range(fields.get("content-range"))
    encoded = "transfer-encoding" in fields or fields.get("content-encoding", "identity") != "identity"
    length = fields.get("content-length")
    return Answer(
        int(rest[:3]),
        None if encoded or length is None else int(length),
        start,
        size,
        fields.get("etag"),
        version != "HTTP/1.0" and fields.get("connection", "").lower() != "close",
        retry_after({"Retry-After": fields["retry-after"]}) if "retry-after" in fields else None,
    )


def _content_range(text: str | None) -> tuple[int | None, int | None]:
    """First byte and size of the object, of ``bytes 0-99/1000``."""
    if text is None or not text.startswith("bytes "):
        return None, None
    span, _, size = text[6:].partition("/")
    start = span.partition("-")[0]
    return (int(start) if start.isdigit() else None), (int(size) if size.isdigit() else None)
