"""What a trainer, its callbacks and its data keep beside the model, found and put into checkpoints."""
