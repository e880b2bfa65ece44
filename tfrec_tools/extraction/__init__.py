"""Records to annotations and images."""
