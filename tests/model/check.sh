#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh MODEL holds|fails [-D...]: searches every state of MODEL. `holds` wants no error and a
# complete search; `fails` wants an error. Works in a directory of its own, which it removes.
set -eu
model=$1
expected=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
spin -a "$@" "$model" >spin.log 2>&1 || { cat spin.log; exit 1; }
# A mistake is found early: in a large model, optimising takes ten times as long as searching.
optimise=-O2
if [ "$expected" = fails ]; then
    [ "$(wc -c <pan.m)" -gt 100000 ] && optimise=-O0 || optimise=-O1
fi
launcher=$(command -v ccache || true)
$launcher "${CC:-cc}" $optimise -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=3000 -c pan.c
"${CC:-cc}" -o pan pan.o
./pan -m2000000 >pan.log 2>&1 || true
grep -E '^pan:|errors:|states, stored|elapsed time' pan.log || { cat pan.log; exit 1; }
errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log)
if grep -qE 'max search depth too small|out of memory|Search not completed' pan.log && [ "$errors" = 0 ]; then
    echo "the search is not complete"
    exit 1
fi
case $expected in
    holds) [ "$errors" = 0 ] ;;
    fails) [ "$errors" -gt 0 ] ;;
    *) echo "expected 'holds' or 'fails'"; exit 1 ;;
esac
