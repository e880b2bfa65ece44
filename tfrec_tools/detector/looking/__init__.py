"""Pictures in, boxes out."""
