"""Pages and sheets of images with their boxes."""
