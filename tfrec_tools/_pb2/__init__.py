"""Generated from schemas/*.proto by bin/protos."""
