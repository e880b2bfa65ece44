"""Records as bytes: framing, features, Examples."""
