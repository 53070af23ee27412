# Two commands do everything on a fresh machine: `make demo` and `make test`.
# CT=path         a CT of yours for the demo (NIfTI, NRRD, MetaImage, DICOM folder); else a synthetic one
# PYTHON=python3  the interpreter to build the environment with (3.10 to 3.13)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CT ?=
OUT := demo
# Pinned: the results in the documentation are this version's. On Linux the ordinary package brings CUDA with
# it (gigabytes); who has a CPU build among the package sources of pip gets that one.
TORCH := torch==2.13.0
# What VTK (off-screen views) and Qt load at run time.
LIBRARIES := libegl1 libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon0 libxrender1 libxt6
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/python Testing/demo.py $(OUT) $(if $(CT),--ct "$(CT)")

test: $(VENV)/test.stamp lint
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n 2 --dist loadscope

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) $(OUT)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.10 to 3.13 is needed; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); sh Testing/install_libraries.sh python3-venv; \
	  $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; }

$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/test.stamp: pyproject.toml $(VENV)/demo.stamp
	@sh Testing/install_libraries.sh $(LIBRARIES)
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@
