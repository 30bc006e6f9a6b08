"""The operations that programs are made of, in every language that verifier speaks."""
