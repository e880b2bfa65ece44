"""Annotation formats: each module reads one into a Source."""
