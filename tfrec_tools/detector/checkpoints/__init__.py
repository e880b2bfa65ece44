"""TFOD's checkpoints, both ways, and what people have instead."""
