"""Conversion on Apache Beam: the command `tfrec convert --runner`, and transforms for other pipelines."""
