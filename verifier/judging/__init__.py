"""What stated gradients are compared with, and what comes of it."""
