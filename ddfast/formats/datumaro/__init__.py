"""Datumaro's own format: a JSON file of items with their annotations for each subset."""
