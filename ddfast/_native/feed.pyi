from ddfast._native.engine import Engine

class Feed:
    """Hands an engine's pieces of remote shards to a reader outside of it. Safe to share between threads.

    To be made before anything remote is fetched: without a feed such fetches fail with ENOTSUP. After a fork it is of
    no use in the child.

    Parameters:
        engine: has one feed at a time.

    Raises:
        OSError: the engine has a feed already (EBUSY), or there is no descriptor for it.
        ClosedError: the engine is of before a fork.
    """

    def __init__(self, engine: Engine) -> None: ...
    def fileno(self) -> int:
        """The descriptor that turns readable when, after `arm`, there are pieces to take or some may be given up."""
    @property
    def fd(self) -> int:
        """The same."""
    def arm(self) -> None:
        """Ask for one notification. Look once more (`take`) before going to sleep."""
    def clear(self) -> None:
        """Take a notification back."""
    def take(self, limit: int) -> list[Piece]:
        """Up to `limit` pieces, those first that were asked for first; none when the feed or the engine is closed.

        Raises:
            ClosedError: after a fork.
        """
    def close(self) -> None:
        """Hand out no more: fetches that have pieces left are cancelled, and those to come fail.

        What was taken is still to be ended, and `given_up`.
        """

class Piece:
    """Bytes to be read into memory that is waiting for them: ``memoryview(piece)``, of ``stop - start`` bytes.

    To be ended exactly once, by `end` or by `fail`; one that is dropped fails. Its memory stays valid as long as the
    piece or a view of it lives, and is not used by others before the piece is ended.

    Attributes:
        shard: number of the data file.
        start: first byte, in the data file.
        stop: the first byte after it.
        ended: whether it is.
        given_up: whether nobody waits for it any more; it is to be ended all the same. True once it is ended.
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
    def given_up(self) -> bool: ...
    def __len__(self) -> int:
        """Bytes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def end(self) -> None:
        """All bytes are there.

        Raises:
            RuntimeError: it is ended already.
            ClosedError: after a fork.
        """
    def fail(self, code: int, reason: str) -> None:
        """The bytes cannot be had, and all that was to be fetched with them is not.

        Parameters:
            code: a positive errno, or one of the negative E_* of `ddfast._native.status`.
            reason: why; the ``reason`` of the error that the fetch raises.

        Raises:
            RuntimeError, ClosedError: as `end`.
        """
