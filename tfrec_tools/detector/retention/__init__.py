"""What keeps old classes known."""
