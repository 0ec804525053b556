"""What happens around the training loop, one subject per file."""
