#!/bin/sh
# Runs test_data.py with the Python that has Keras; without one the test is skipped (with CI=true: failed).
python="${ANTLER_PYTHON:-$HOME/.cache/antler/venv/bin/python}"
if ! "$python" -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("keras") and u.find_spec("sklearn")))' 2>/dev/null; then
    echo "SKIP: no Python with Keras and scikit-learn at '$python'"
    [ "$CI" = true ] && exit 1
    exit 77
fi
exec "$python" "$ANTLER_SOURCE/tests/keras/test_data.py" "$1"
