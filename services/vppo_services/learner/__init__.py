"""One optimizer step per mini-batch on finished advantages and masks."""
