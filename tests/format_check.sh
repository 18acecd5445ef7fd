#!/bin/sh
# SPDX-License-Identifier: MIT
# format_check.sh SOURCE: every C++ file that git tracks is formatted as .clang-format says.
set -eu
cd "$1"
command -v clang-format >/dev/null || { echo "skipped: clang-format is not installed (apt-get install clang-format)"; exit 77; }
files=$(git ls-files -- '*.cpp' '*.h' '*.c') || { echo "skipped: git lists no files here, so it is not known which are ours"; exit 77; }
# shellcheck disable=SC2086
clang-format --dry-run --Werror $files
