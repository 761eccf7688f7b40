from typing import Literal

class Engine:
    """The queue of reads of one reader and the threads that work on it. Safe to share between threads.

    Threads start with the first reads. After a fork an engine is of no use in the child.

    Parameters:
        queue_depth: reads in flight at most, 1 to 1024; 0: 32, and 64 on network mounts where
            reads are small.
        ready_threads: threads that may copy cached data at once; 0 for one a processor.
        io: what waits for storage: ``"threads"``, or ``"uring"``, one thread with Linux's io_uring; or
            ``"direct"``, threads that read past the page cache where the file system does that. ``"auto"`` is threads.

    Raises:
        ValueError: there is no such `io`.
        OSError: io_uring is not available: ENOTSUP (the build or the kernel lacks it), ENOSYS or EPERM (refused).
    """

    def __init__(
        self,
        queue_depth: int,
        ready_threads: int = 0,
        io: Literal["auto", "threads", "uring", "direct"] = "auto",
    ) -> None: ...
    def fileno(self) -> int:
        """The descriptor that turns readable when a fetch completes after `arm`."""
    def arm(self) -> None:
        """Ask for one notification. Look for completed fetches once more before going to sleep."""
    def clear(self) -> None:
        """Take a notification back."""
    @property
    def progress(self) -> int:
        """Reads completed so far; it stands still when storage does."""
    @property
    def threads(self) -> int:
        """Threads alive."""
    def stop(self, timeout: float) -> bool:
        """Give all reads up and end the threads.

        Parameters:
            timeout: seconds to wait for reads that are stuck in the system.

        Returns:
            False if a thread is stuck still; it ends by itself when its read does.
        """
