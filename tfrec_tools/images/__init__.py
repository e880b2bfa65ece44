"""Image files: found by name, read by their heads, made what TensorFlow decodes, fitted to their boxes."""
