"""What networks are taught: anchors, targets and losses."""
