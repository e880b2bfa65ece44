"""Annotations to records."""
