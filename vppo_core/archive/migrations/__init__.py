"""Steps from an older shape of the tables to today's, run by `open_database`."""
