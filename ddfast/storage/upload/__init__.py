"""How new objects are written."""
