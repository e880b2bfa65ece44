"""`python -m tfrec_tools` is the command `tfrec`."""

from tfrec_tools.cli.app import main

main()
