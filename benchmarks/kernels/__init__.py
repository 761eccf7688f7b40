"""The cost of each C kernel: counted instructions, which hardly differ between machines, and measured times."""
