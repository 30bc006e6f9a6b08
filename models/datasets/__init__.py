"""Models of data that scikit-learn ships: `pip install 'verifier[data]'`."""
