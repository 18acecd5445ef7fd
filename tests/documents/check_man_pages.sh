#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_man_pages.sh DIRECTORY: groff and man have no warning about the pages in it.
set -euo pipefail
command -v groff >/dev/null || { echo "no groff"; exit 77; }
failed=0
for page in "$1"/*.[1-8]; do
    said=$(groff -ww -man -Tutf8 -z "$page" 2>&1)
    if command -v man >/dev/null; then said+=$(MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null); fi
    if [[ -n $said ]]; then
        printf '%s:\n%s\n' "$page" "$said"
        failed=1
    fi
done
exit "$failed"
