"""Label maps of every plain kind, and how several become one."""
