"""Log-probs with the image and with it masked."""
