"""``python -m ddfast`` is the command ``ddfast``."""

from ddfast.commands.__main__ import entry

if __name__ == "__main__":
    entry()
