"""Reports: for people, for machines and for tests."""
