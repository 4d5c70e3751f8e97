"""Everything behind `demo://`: a tiny model, a data set it can learn, and their cache.

`python -m vppo_services.demo` makes all of it ahead of time.
"""
