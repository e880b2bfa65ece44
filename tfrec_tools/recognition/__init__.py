"""What a path is, whatever it is: which commands take it, which do not, and the next one."""
