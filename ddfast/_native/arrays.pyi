"""What kernels fill; for other bindings alone."""
