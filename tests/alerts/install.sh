#!/usr/bin/env bash
# Puts promtool of Debian's package prometheus into /usr/local/bin, and nothing else of it: neither
# its server nor what that depends on. As root, where apt is. Several may start it at once.
set -euo pipefail
exec 9<"$0"
flock 9
command -v promtool >/dev/null && exit
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
options=(-qq -o APT::Sandbox::User=root)
apt-get download "${options[@]}" prometheus 2>/dev/null ||
  { apt-get update -qq && apt-get download "${options[@]}" prometheus; }
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >promtool
install -m 755 promtool /usr/local/bin/promtool
