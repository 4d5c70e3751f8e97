"""Groups of sampled answers, each of one policy version."""
