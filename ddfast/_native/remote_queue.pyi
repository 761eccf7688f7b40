from ddfast._native.engine import Engine

class RemoteQueue:
    """The queue of an engine's remote reads, for a reader outside of the engine. Safe to share between threads.

    Create it before anything remote is fetched: without a queue such fetches fail with ENOTSUP. It cannot be used in a
    forked child.

    Parameters:
        engine: the engine, which has one queue at a time.

    Raises:
        OSError: the engine has a queue already (EBUSY), or no descriptor is left.
        ClosedError: the engine was created before a fork.
    """

    def __init__(self, engine: Engine) -> None: ...
    def fileno(self) -> int:
        """The descriptor that becomes readable when, after `arm`, there are pieces to take or some may be cancelled."""
    @property
    def fd(self) -> int:
        """As `fileno`."""
    def arm(self) -> None:
        """Request one notification. Call `take` once more before sleeping."""
    def clear(self) -> None:
        """Clear a notification."""
    def take(self, limit: int) -> list[RemotePiece]:
        """Up to `limit` pieces, in the order of submission; none when the queue or the engine is closed.

        Raises:
            ClosedError: after a fork.
        """
    def close(self) -> None:
        """Return no more pieces: fetches that have pieces left are cancelled, and later ones fail.

        Pieces that were taken are `cancelled`, but still have to be ended.
        """

class RemotePiece:
    """Bytes to be read into memory that is reserved for them: ``memoryview(piece)``, of ``stop - start`` bytes.

    It has to be ended exactly once, by `end` or by `fail`; a piece that is deleted before then fails. Its memory is
    valid as long as the piece or a view of it exists, and has no other user before the piece is ended.

    Attributes:
        shard: number of the data file.
        start: first byte, in the data file.
        stop: the first byte after it.
        ended: whether it is ended.
        cancelled: whether its bytes are not needed any more; it still has to be ended. True once it is ended.
    """

    @property
    def shard(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    @property
    def cancelled(self) -> bool: ...
    def __len__(self) -> int:
        """Bytes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def end(self) -> None:
        """Report that all bytes are filled in.

        Raises:
            RuntimeError: it is ended already.
            ClosedError: after a fork.
        """
    def fail(self, code: int, reason: str) -> None:
        """Report that the bytes cannot be read; the whole fetch fails.

        Parameters:
            code: a positive errno, or one of the negative E_* of `ddfast._native.status`.
            reason: the ``reason`` of the error that the fetch raises.

        Raises:
            RuntimeError, ClosedError: as `end`.
        """
