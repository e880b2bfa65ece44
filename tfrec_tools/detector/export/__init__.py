"""A detector in the formats that others run: each module writes one and runs it."""
