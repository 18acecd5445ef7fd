#!/bin/sh
# SPDX-License-Identifier: MIT
# with_numpy.sh COMMAND…: runs the command; 77 where Debian's Python has no numpy.
/usr/bin/python3 -c 'import numpy' 2>/dev/null || { echo "SKIP   : no numpy for /usr/bin/python3 (apt-get install python3-numpy)"; exit 77; }
exec "$@"
