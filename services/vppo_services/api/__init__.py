"""The control plane: jobs over HTTP, for any store of jobs."""
