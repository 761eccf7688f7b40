"""One module per peer, each with its ``PEER``."""
