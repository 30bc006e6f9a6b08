"""What a person typed, made into models, inputs and tables."""
