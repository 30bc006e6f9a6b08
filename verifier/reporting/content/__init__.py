"""What reports say, whoever writes it out."""
