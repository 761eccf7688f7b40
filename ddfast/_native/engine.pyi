from typing import Literal

class Engine:
    """The queue of reads of one reader and the threads that work on it. Safe to share between threads.

    Threads start with the first reads. After a fork, the child cannot use the engine.

    Parameters:
        queue_depth: reads in flight at most, 1 to 1024; 0: 32, and 64 on network mounts where
            reads are small.
        ready_threads: threads that may copy cached data at once; 0 for one per processor.
        io: how to wait for storage: ``"threads"``, or ``"uring"``, one thread with Linux's io_uring; or
            ``"direct"``, threads that bypass the page cache, if the file system supports that. ``"auto"`` is threads.

    Raises:
        ValueError: `io` is not one of these values.
        OSError: io_uring is not available: ENOTSUP (the build or the kernel lacks it), ENOSYS or EPERM (refused).
    """

    def __init__(
        self,
        queue_depth: int,
        ready_threads: int = 0,
        io: Literal["auto", "threads", "uring", "direct"] = "auto",
    ) -> None: ...
    def fileno(self) -> int:
        """The descriptor that becomes readable when a fetch completes after `arm`."""
    def arm(self) -> None:
        """Request one notification. Check for completed fetches once more before sleeping."""
    def clear(self) -> None:
        """Clear a notification."""
    @property
    def progress(self) -> int:
        """Reads completed so far; the number does not grow while storage does not respond."""
    @property
    def threads(self) -> int:
        """Threads alive."""
    def stop(self, timeout: float) -> bool:
        """Cancel all reads and end the threads.

        Parameters:
            timeout: seconds to wait for reads that hang in the system.

        Returns:
            False if a thread still hangs; it ends when its read ends.
        """
