"""A detector and its folder; how it grows; models by name and classification weights."""
