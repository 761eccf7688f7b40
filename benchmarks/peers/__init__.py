"""Comparison of ddfast with other formats and loaders, on the same samples, in one run."""
