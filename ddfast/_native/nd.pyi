class NdDecoder:
    """Builds the values of msgpack-numpy's common forms; remembers dtypes. Used only by `Decoder`."""
