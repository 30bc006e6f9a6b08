"""The packages are found; the gallery, which lies beside `verifier/`, is one of them in the
wheel.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["verifier", "verifier.*"]), "verifier.models"])
