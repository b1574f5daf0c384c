#!/bin/sh
# Runs a program that must say nothing on stderr: what it says there is its failure.
said=$("$@" 2>&1 >/dev/null)
status=$?
[ -z "$said" ] || { printf '%s\n' "$said"; exit 1; }
exit $status
