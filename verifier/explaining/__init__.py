"""One step of a training, taken apart."""
