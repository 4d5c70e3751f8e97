"""The life of a job: facts in, actions and status out. Pure; time is an argument."""
