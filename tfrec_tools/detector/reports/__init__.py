"""A run's table, images, page and model card."""
