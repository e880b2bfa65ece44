"""The training loop, on one device or many, and the folder of a run."""
