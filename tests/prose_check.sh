#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No text that a person reads is written in a way that tests/prose_patterns.txt lists.
exec "$1/packaging/strings.py" --check --kind string,doc,comment
