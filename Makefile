# Two commands matter: `make book` and `make test`. Both set everything up.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
# Each kernel and each worker of the tests would compile our modules again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PY := $(BIN)/python
INSTALLED := .venv/.installed
PIP := $(PY) -m pip --disable-pip-version-check
# Tests run in the environment of the book's kernels, not in the user's.
ISOLATED := $(PY) -m bookbuild.run.kernels
# What each stage took; .ci/run prints the table at its end.
TIMED := $(PY) -m bookbuild.budget run
# As many tests at once as there are cores, so each keeps to one thread.
AT_ONCE := --numprocesses=auto --maxprocesses=4
ONE_THREAD := env OMP_NUM_THREADS=1
TESTS := $(ISOLATED) $(PY) -m pytest -p no:nbval \
	$(AT_ONCE) --dist=worksteal
PYTHONS := python3 python3.13 python3.12 python3.11 python3.14

.PHONY: help book test unit lab serve bench retrain budget clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST)

book: $(INSTALLED) ## build the book: HTML, PDF and notebooks, in _build/
	@$(PY) -m bookbuild.build

test: $(INSTALLED) ## lint, types, unit tests, then every notebook
	$(TIMED) lint -- sh -c "$(PY) -m ruff check . \
		&& $(PY) -m ruff format --check ."
	$(TIMED) types -- $(PY) -m mypy
	$(TIMED) imports -- $(BIN)/lint-imports
	$(TIMED) tests -- $(ONE_THREAD) $(TESTS) --cov --cov-report=
	$(TIMED) coverage -- $(PY) -m coverage report
	@$(PY) -m bookbuild.build notebooks
	$(TIMED) nbval -- $(ISOLATED) $(PY) -m pytest $(AT_ONCE) --dist=loadfile \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=600 \
		-p no:cacheprovider _build/notebooks

unit: $(INSTALLED) ## the unit tests alone
	$(ONE_THREAD) $(TESTS) -q

lab: $(INSTALLED) ## JupyterLab; the chapters open as notebooks
	@mkdir -p _build/lab
	@printf '%s\n' '{"@jupyterlab/docmanager-extension:plugin":' \
		'{"defaultViewers": {"markdown": "Jupytext Notebook"}},' \
		'"@jupyterlab/apputils-extension:notification":' \
		'{"fetchNews": "false", "checkForUpdates": false}}' \
		> _build/lab/overrides.json
	$(BIN)/jupyter-lab --LabApp.app_settings_dir="$(CURDIR)/_build/lab" \
		--ServerApp.contents_manager_class=bookbuild.run.lab.BookContents \
		$(LAB_OPTIONS) book

serve: $(INSTALLED) ## the HTML at http://127.0.0.1:8000
	@test -f _build/html/index.html \
		|| { echo "There is no book yet; run 'make book'." >&2; exit 1; }
	$(PY) -m http.server --bind 127.0.0.1 --directory _build/html 8000

bench: $(INSTALLED) ## measure us against the libraries you would use
	@set -e; for script in benchmarks/[!_]*.py; do \
		echo "== $$script"; $(PY) "$$script"; done

retrain: $(INSTALLED) ## train the shipped models again, and compare their losses
	$(PY) benchmarks/_retrain.py

budget: $(INSTALLED) ## how long each stage of the last check took
	@$(PY) -m bookbuild.budget

clean: ## remove all that was built; .venv stays
	rm -rf _build build .coverage .coverage.* .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# The stamp is written last. Whatever broke before it, the next run starts
# from what works: an environment without pip is made again from nothing.
$(INSTALLED): requirements.lock pyproject.toml
	@rm -f $@
	@mkdir -p _build/seconds; date +%s > _build/seconds/.install
	@set -e; ok='import sys; sys.exit(sys.version_info < (3, 11))'; \
	if ! { $(PY) -c "$$ok" && $(PY) -m pip --version; } >/dev/null 2>&1; \
	then \
		found=; \
		for python in $(PYTHONS); do \
			if $$python -c "$$ok" >/dev/null 2>&1; then \
				found=$$python; break; \
			fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "The book needs Python 3.11 or newer, and none of" \
				"'$(PYTHONS)' is. Install one (python.org, or your" \
				"system's packages), then run make again." >&2; \
			exit 1; \
		fi; \
		if ! $$found -c 'import venv, ensurepip' >/dev/null 2>&1; then \
			echo "$$found cannot make a virtual environment. On Debian" \
				"or Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; \
		fi; \
		echo "Making .venv with $$($$found --version)"; \
		rm -rf .venv; \
		$$found -m venv .venv; \
	fi
	@echo "Installing requirements.lock (a few minutes the first time)"
	@# Of the packages' modules few are ever imported; those compile then.
	@$(PIP) install --quiet --no-compile -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@echo $$(( $$(date +%s) - $$(cat _build/seconds/.install) )) \
		> _build/seconds/install
	@touch $@
