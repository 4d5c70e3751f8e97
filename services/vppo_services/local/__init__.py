"""The same API on one machine without a cluster: jobs in SQLite, attempts as processes."""
