"""The targets that verifier.toml lists."""
