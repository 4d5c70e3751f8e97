"""The run of a job as files: what a driver leaves behind, and what follows from it."""
