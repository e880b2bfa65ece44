"""Boxes, image records, and what may be wrong with them."""
