#!/bin/sh
# Installs the Debian packages that are missing, if it may; otherwise says which, and goes on.
missing=""
for package in "$@"; do
    # Newer releases call some of them …t64.
    dpkg -s "$package" >/dev/null 2>&1 || dpkg -s "${package}t64" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null && exit 0
fi
echo "These system libraries are missing:$missing"
echo "Install them: sudo apt-get install$missing (what needs them will fail until then)."
