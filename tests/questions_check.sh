#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# questions_check.sh ROOT: every question of questions.txt is answered by a file that exists.
set -euo pipefail
cd "$1"
failed=0 count=0
while IFS='|' read -r question file; do
    [[ $question == \#* || -z $question ]] && continue
    count=$((count + 1))
    file=${file## }
    if [[ ! -f $file ]]; then
        echo "$question: there is no file $file" >&2
        failed=1
    fi
done < tests/questions.txt
if ((count < 30)); then
    echo "only $count questions" >&2
    failed=1
fi
exit "$failed"
