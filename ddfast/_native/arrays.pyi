"""Arrays that kernels fill; used only by other bindings."""
