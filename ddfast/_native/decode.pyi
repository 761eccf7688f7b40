from typing import Any

from typing_extensions import Buffer

# Number of the keys of one map that are neither str, bytes, int, float, bool, None nor ExtType.
MAX_RARE_KEYS: int

class Decoder:
    """Turns msgpack messages into the objects that ``datadings.tools.msgpack.unpackb`` gives for them.

    Arrays, numpy scalars and complex numbers in msgpack-numpy's layout are restored; arrays are
    read-only copies that do not keep the buffer alive. A decoder remembers map keys and dtypes that it has
    seen, within fixed bounds, so one decoder should serve a whole dataset. It may be shared between threads.

    Parameters:
        allow_pickle: unpickle arrays of dtype object. Unpickling runs any code that the file contains.
    """

    def __init__(self, *, allow_pickle: bool = False) -> None: ...
    @property
    def allow_pickle(self) -> bool:
        """Whether arrays of dtype object are unpickled."""

    def unpack(self, buffer: Buffer) -> Any:
        """Decode a buffer that holds exactly one message.

        Raises:
            KernelError: the bytes are damaged, or represent a value that cannot be built (code ``E_VALUE``);
                with the position of the offending value in the buffer.
            PickleRefusedError: the message holds a pickled array and ``allow_pickle`` is false.
        """

    def unpack_run(self, messages: list[Any], start: int, room: int) -> list[Any]:
        """Decode bytes objects from `start` on: at least one, until they take `room` bytes.

        Ends early before an item that is damaged or not a bytes object, and raises only if that is the first.

        Raises:
            KernelError, PickleRefusedError: as `unpack`, for the first message.
            TypeError: the first item is not a bytes object.
        """
