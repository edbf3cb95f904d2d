#!/usr/bin/env bash
# Puts Redis 8.6 into ~/.cache/peers/redis86, out of the packages of Debian experimental and sid, without installing
# them: the differ's peer for what came after 8.0. The first run takes a minute, later ones do nothing.
set -euo pipefail
cache=${PEERS_DIR:-$HOME/.cache/peers}
folder=$cache/redis86
[[ -x $folder/redis-server ]] && exit
mkdir -p "$cache"
exec 9>"$cache/.lock" && flock 9
[[ -x $folder/redis-server ]] && exit
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/packages"
# the mirror is the one that this machine's own apt configuration names
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE '^(URIs:|deb) +[^ ]+/debian/?( |$)' | grep -oE '[a-z]+://[^ ]+' | sed -n 1p) || true
[[ -n $mirror ]] || { echo "redis86: no Debian mirror in this machine's apt configuration" >&2; exit 1; }
printf "deb $mirror %s main\n" sid experimental >"$work/list"
apt=(apt-get -q -o "Dir::Etc::sourcelist=$work/list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
"${apt[@]}" update >&2
# the server is a link to the checker, which redis-tools holds; the C library is sid's, too, and so is its loader
(cd "$work/packages" && "${apt[@]}" download redis-{server,tools}/experimental {libc6,libgcc-s1,libstdc++6,libatomic1}/sid \
  {libjemalloc2,liblzf1,libssl3t64,libsystemd0,libcap2,zlib1g,libzstd1}/sid >&2)
for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work/root"; done
mv "$work/root" "$work/redis86"
for tool in redis-server redis-check-rdb redis-check-aof; do
  cat >"$work/redis86/$tool" <<END
#!/bin/sh
exec "$folder"/usr/lib*/ld-linux-x86-64.so.2 --argv0 $tool --library-path "$folder/usr/lib/x86_64-linux-gnu" "$folder/usr/bin/$tool" "\$@"
END
  chmod +x "$work/redis86/$tool"
done
rm -rf "${folder:?}"; mv "$work/redis86" "$folder"
