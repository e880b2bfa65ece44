"""Training, watched, and the folder of a run."""
