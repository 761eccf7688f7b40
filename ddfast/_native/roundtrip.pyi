def is_exact(packed: bytes, encoded: int) -> bool:
    """Whether a packed message is certain to be read back unchanged.

    Parameters:
        packed: exactly one message.
        encoded: number of its maps that ``nd.encode`` made.

    Returns:
        False if there are more maps with reserved keys than ``nd.encode`` made, a key is neither string, bytes nor
        integer, two keys of a map may be equal, or a map is too large to compare its keys: then a closer check is
        needed.

    Raises:
        KernelError: the bytes are not one well-formed message.
    """
