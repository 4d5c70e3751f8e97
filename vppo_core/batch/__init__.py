"""What travels between the roles: frozen dataclasses of numpy arrays, one type per stage."""
