"""Message batches: taken in, run through the engine or carried whole by a provider, and read back."""
