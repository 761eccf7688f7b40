"""The commands: each module without an underscore is ``ddfast <name>`` and ``ddfast-<name>``."""
