"""Files that appear whole, files of stores as paths, worker processes."""
