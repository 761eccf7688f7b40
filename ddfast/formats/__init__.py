"""Formats of annotated datasets: each module reads one layout of files, recognises it, and writes it."""
