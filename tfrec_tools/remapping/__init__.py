"""Records to records under a merged label map."""
