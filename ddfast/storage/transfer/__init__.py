"""How bytes are transferred from remote storage: retries, concurrency and the thread that does it."""
