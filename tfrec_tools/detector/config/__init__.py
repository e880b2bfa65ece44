"""TFOD's pipeline.config: read field by field, or rewritten with all else left alone."""
