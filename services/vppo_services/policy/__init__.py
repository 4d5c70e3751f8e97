"""The model as learner and dependency role both run it: one forward, one set of numerics."""
