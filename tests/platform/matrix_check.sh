#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# matrix_check.sh README COMMAND...: each row that the command prints stands in the table of README. Exit status 77: so does
# the command's.
set -euo pipefail
readme=$1
shift
status=0
rows=$("$@" --capabilities) || status=$?
((status == 0)) || { echo "$rows"; exit "$status"; }
[[ -n $rows ]] || { echo "no backend"; exit 1; }
while IFS= read -r row; do
    row=${row%$'\r'}
    grep -qxF "$row" "$readme" || { echo "$readme lacks this row, or has another for the backend: $row"; exit 1; }
done <<< "$rows"
