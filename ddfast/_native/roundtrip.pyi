def is_exact(packed: bytes, encoded: int) -> bool:
    """Whether a packed message is certain to be read back unchanged.

    Parameters:
        packed: exactly one message.
        encoded: how many maps of it ``nd.encode`` made.

    Returns:
        False where a map has more reserved keys than ``nd.encode`` made, a key is neither string, bytes nor
        integer, two keys of a map may be equal, or a map is too large to tell: then a closer check is needed.

    Raises:
        KernelError: the bytes are not one well-formed message.
    """
