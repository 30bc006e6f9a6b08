"""The packages are found; the gallery, which lies beside `verifier/`, is one of them in the
wheel, with its folders.
"""

from setuptools import find_packages, setup

gallery = ["verifier.models", *(f"verifier.models.{name}" for name in find_packages("models"))]
setup(packages=[*find_packages(include=["verifier", "verifier.*"]), *gallery])
