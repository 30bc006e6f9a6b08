# Two commands from a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test nightly coverage docs bench budgets fuzz reports clean

demo: .venv/ready
	$(BIN)/verifier train linear --predict x=4
	$(BIN)/verifier train quadratic --predict x=4

test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2

nightly: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 -m "" --cov --cov-report=term-missing:skip-covered

coverage: .venv/ready
	$(BIN)/pytest -n 2 --cov --cov-report=term-missing:skip-covered

docs: .venv/ready
	$(BIN)/mkdocs build --strict

bench: .venv/ready
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/rows.py
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/judging.py
	$(BIN)/python benchmarks/honest.py

budgets: .venv/ready
	$(BIN)/python benchmarks/budgets.py

fuzz: .venv/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt atheris
	$(BIN)/python benchmarks/fuzz_text.py
	$(BIN)/python benchmarks/fuzz_commands.py

reports: .venv/ready
	$(BIN)/python benchmarks/report.py

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "verifier needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt setuptools wheel
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable . coverage hypothesis ipykernel jsonschema mkdocs mkdocs-material "mkdocstrings[python]" mypy nbclient nbformat pandas polars pytest pytest-cov pytest-xdist ruff scikit-learn types-psutil
	touch $@

clean:
	rm -rf .venv build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
