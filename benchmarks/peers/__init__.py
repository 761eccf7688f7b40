"""ddfast beside the formats and loaders that people use instead, on the same samples, in one run."""
