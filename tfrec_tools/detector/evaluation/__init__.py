"""How well a detector finds what was annotated."""
