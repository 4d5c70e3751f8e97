"""How good is a policy on held-out questions."""
