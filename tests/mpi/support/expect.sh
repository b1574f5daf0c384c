#!/bin/sh
# expect.sh CODE TEXT COMMAND...: runs the command, which must end with that exit code (any: with
# whichever), and say that text.
code=$1 text=$2
shift 2
said=$("$@" 2>&1)
status=$?
printf '%s\n' "$said"
[ "$code" = any ] || [ "$status" -eq "$code" ] || { echo "exit code $status, not $code"; exit 1; }
case $said in *"$text"*) exit 0 ;; esac
echo "it did not say: $text"
exit 1
