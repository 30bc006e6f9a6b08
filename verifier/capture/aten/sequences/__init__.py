"""Rules for sequences: recurrent layers, and alignments of labels with them."""
