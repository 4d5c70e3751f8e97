"""Rows of a data set, as the prompts that roles take: read, checked, drawn in a seeded order."""
