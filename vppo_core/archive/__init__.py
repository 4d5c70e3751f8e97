"""The read model of all jobs, and on one machine the jobs themselves. The only SQL of core."""
