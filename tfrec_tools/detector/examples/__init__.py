"""Records as batches."""
