#!/bin/sh
# Man pages format without a warning: check_man.sh PAGE...
command -v groff >/dev/null 2>&1 || { echo "no groff here"; exit 77; }
rc=0
for page; do
  out=$(groff -man -ww -Tutf8 -z "$page" 2>&1)
  [ -z "$out" ] || { echo "$page: $out"; rc=1; }
done
exit $rc
