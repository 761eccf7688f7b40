"""What each C kernel costs: counted instructions, which hardly differ between machines, and measured times."""
