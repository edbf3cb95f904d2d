#!/usr/bin/env bash
# Puts Redis 7.0 into ~/.cache/peers/redis70, out of Debian bookworm's packages, without installing them. The first run
# takes some seconds, later ones do nothing.
set -euo pipefail
cache=${PEERS_DIR:-$HOME/.cache/peers}
folder=$cache/redis70
[[ -x $folder/redis-server ]] && exit
mkdir -p "$cache"
exec 9>"$cache/.lock" && flock 9
[[ -x $folder/redis-server ]] && exit
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/packages"
# the mirror is the one that this machine's own apt configuration names
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE '^(URIs:|deb) +[^ ]+/debian/?( |$)' | grep -oE '[a-z]+://[^ ]+' | sed -n 1p) || true
[[ -n $mirror ]] || { echo "redis70: no Debian mirror in this machine's apt configuration" >&2; exit 1; }
echo "deb $mirror bookworm main" >"$work/list"
apt=(apt-get -q -o "Dir::Etc::sourcelist=$work/list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
"${apt[@]}" update >&2
# the server is a link to the checker, which redis-tools holds
(cd "$work/packages" && "${apt[@]}" download redis-server redis-tools liblzf1 libjemalloc2 >&2)
for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work/root"; done
mv "$work/root" "$work/redis70"
for tool in redis-server redis-check-rdb redis-check-aof; do
  cat >"$work/redis70/$tool" <<END
#!/bin/sh
export LD_LIBRARY_PATH=\$(echo "$folder"/usr/lib/*-linux-gnu)
exec "$folder/usr/bin/$tool" "\$@"
END
  chmod +x "$work/redis70/$tool"
done
rm -rf "${folder:?}"; mv "$work/redis70" "$folder"
