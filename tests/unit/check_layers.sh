#!/bin/sh
# The arrows of the house: which folder may include which, and which outside library lives where. Reads the includes.
cd "${ANTLER_SOURCE:-$(dirname "$0")/../..}" || exit 2
bad=0
allow() { # allow FOLDER REGEX-OF-FOLDERS-IT-MAY-INCLUDE
    found=$(grep -rnE '^#include "' "$1" --include='*.c' --include='*.h' --include='*.cu' --include='*.inc' 2>/dev/null |
        grep -vE "#include \"($2)[/.]") && { printf '%s\n' "$found"; echo "^ $1/ may include only: $2"; bad=1; }
}
only() { # only HEADER-REGEX FOLDER-REGEX
    found=$(grep -rnE "^#include <($1)>" base persistence engine plots tui --include='*.c' --include='*.h' --include='*.cu' 2>/dev/null |
        grep -vE "^($2)") && { printf '%s\n' "$found"; echo "^ <$1> belongs in $2 only"; bad=1; }
}
allow base base
allow plots 'base|plots'
# persistence: what lies on the disk, from the containers up
allow persistence 'base|persistence'
allow persistence/files 'base|persistence/files'
allow persistence/hdf5 'base|persistence/(files|hdf5)'
allow persistence/keras 'base|persistence/(files|hdf5|keras)'
allow persistence/config 'base|persistence/(files|config)'
allow persistence/runs 'base|persistence/(files|config|runs)'
allow persistence/index 'base|persistence/(files|runs|index)'
allow persistence/sources 'base|persistence/(files|runs|index|sources)'
allow engine 'base|persistence|engine'
# tui: a terminal and its widgets know nothing of runs; commands and views never include each other
allow tui 'base|persistence|plots|tui'
allow tui/terminal 'base|plots|tui/terminal'
allow tui/widgets 'base|plots|tui/(terminal|widgets)'
allow tui/client 'base|persistence|plots|tui/(terminal/theme|client|cli/cli)'
allow tui/cli 'base|persistence|plots|tui/(terminal|client|cli|app/screen)'
allow tui/app 'base|persistence|plots|tui/(terminal|widgets|client|cli/cli|app)'
allow tui/charts 'base|persistence|plots|tui/(terminal|widgets|client|app|charts)'
allow tui/results 'base|persistence|plots|tui/(terminal|widgets|client|app|results)'
allow tui/form 'base|persistence|plots|tui/(terminal|widgets|client|app|results|form)'
allow tui/views 'base|persistence|plots|tui/(terminal|widgets|client|app|charts|results|views)'
only '(ncurses|curses|term|panel)\.h' 'tui/'
only '(zip|sqlite3|yaml)\.h' 'persistence/'
only '(cblas|openblas_config|f77blas)\.h' 'engine/cpu/'
only '(nvrtc|cuda[a-zA-Z_]*|cublas[a-zA-Z_0-9]*|cudnn[a-zA-Z_0-9]*)\.h' 'engine/cuda/'
exit $bad
