"""The method: pure functions of tensors, one file per step from log-probs to loss."""
