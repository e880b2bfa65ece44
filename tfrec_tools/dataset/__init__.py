"""A set of records on disk: its shards, its manifest, how it is written, published, counted and verified."""
