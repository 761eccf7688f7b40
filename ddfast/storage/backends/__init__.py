"""How the bytes of one object are read, by kind of store."""
