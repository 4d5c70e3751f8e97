"""The command line; starts without torch and Ray."""
