#!/bin/sh
# Runs a test script with the Python that has real Keras: $ANTLER_PYTHON, else the one in the cache folder. None: skipped (77), a failure in CI.
python=${ANTLER_PYTHON:-$HOME/.cache/antler/venv/bin/python}
if [ ! -x "$python" ]; then
    echo "SKIP: no Python with Keras at '$python'"
    [ "$CI" = true ] && exit 1
    exit 77
fi
exec "$python" "$@"
