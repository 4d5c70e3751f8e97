"""The page in the browser: static files that speak to the API and nothing else."""
