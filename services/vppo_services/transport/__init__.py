"""How batches and weights travel between processes."""
