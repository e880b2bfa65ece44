"""What strangers upload to break a service, and what becomes of it."""
