"""Two sets of records side by side: which images and boxes came, went and changed."""
