"""Pure parts of what the command line shows: values to texts, rows and drawings."""
