#!/bin/sh
# System packages that the tests use. Installs what is missing when it may (Debian, root); otherwise says so and goes on:
# tests that need an absent program are skipped and say which.
set -eu
missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need curl curl
need bash bash
need chromium "chromium fonts-dejavu-core fonts-noto-color-emoji"
need kubectl kubernetes-client
need prometheus prometheus
need wrk wrk
need prometheus-alertmanager prometheus-alertmanager
# Debian keeps the server's programs off PATH
[ -x "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)" ] || need initdb postgresql
python3 -c 'import ensurepip' >/dev/null 2>&1 || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0
say_absent() { echo "not installed (tests that need them are skipped):$missing" >&2; }
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  one word a package
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >/dev/null || say_absent
else
    say_absent
fi
