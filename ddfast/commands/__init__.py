"""The commands: each module here is ``ddfast <name>`` and ``ddfast-<name>``."""
