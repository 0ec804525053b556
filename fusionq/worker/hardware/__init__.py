"""What a machine has: GPUs, memory, disk, network addresses."""
