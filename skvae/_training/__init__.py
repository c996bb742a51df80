"""The training loop: it knows tensors, and not what is kept of them."""
