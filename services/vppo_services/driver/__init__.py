"""The Ray driver of one attempt: it orders calls, and holds no token arrays but in `assemble`."""
