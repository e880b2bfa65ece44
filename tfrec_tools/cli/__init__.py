"""The command `tfrec`: a module for each command."""
