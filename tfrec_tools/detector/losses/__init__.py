"""TFOD's targets and losses, and a teacher's."""
