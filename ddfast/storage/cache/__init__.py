"""A cache of remote objects on the local disk."""
