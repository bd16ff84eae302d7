#!/bin/sh
# The arrows of the house: which folder may include which, and which outside library lives where. Reads the includes.
cd "${ANTLER_SOURCE:-$(dirname "$0")/../..}" || exit 2
bad=0
allow() { # allow FOLDER REGEX-OF-FOLDERS-IT-MAY-INCLUDE
    found=$(grep -rnE '^#include "' "$1" --include='*.c' --include='*.h' --include='*.cu' --include='*.inc' 2>/dev/null |
        grep -vE "#include \"($2)/") && { printf '%s\n' "$found"; echo "^ $1/ may include only: $2"; bad=1; }
}
only() { # only HEADER-REGEX FOLDER-REGEX
    found=$(grep -rnE "^#include <($1)>" base persistence engine plots tui --include='*.c' --include='*.h' --include='*.cu' 2>/dev/null |
        grep -vE "^($2)") && { printf '%s\n' "$found"; echo "^ <$1> belongs in $2 only"; bad=1; }
}
allow base base
allow plots 'base|plots'
allow persistence 'base|persistence'
allow engine 'base|persistence|engine'
allow tui 'base|persistence|plots|tui'
only '(ncurses|curses|term|panel)\.h' 'tui/'
only '(zip|sqlite3|yaml)\.h' 'persistence/'
only '(cblas|openblas_config|f77blas)\.h' 'engine/cpu/'
only '(cuda[a-zA-Z_]*|cublas[a-zA-Z_0-9]*|cudnn[a-zA-Z_0-9]*)\.h' 'engine/cuda/'
exit $bad
