"""The training wing: TFOD models read, grown by classes, trained, measured and written back."""
