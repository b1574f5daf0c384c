#!/bin/sh
# Runs a program on one core only, the first that this process may use.
core=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
exec taskset -c "$core" "$@"
