#!/usr/bin/env bash
# Debian's PostgreSQL with postgres_fdw, and pgvector built from Debian's source, for tests/index/postgres/test_shards.py.
# Debian 12 has no package of pgvector; a later release has, and its source builds here. Root only. What is there
# already stays as it is, and the system's own lists of packages are not touched.
set -euo pipefail
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "not root on Debian: PostgreSQL is not installed" >&2
  exit 1
fi
for extensions in /usr/share/postgresql/*/extension; do
  [ -f "$extensions/vector.control" ] && [ -f "$extensions/postgres_fdw.control" ] && exit 0
done
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
if [ ! -d /etc/postgresql-common ]; then
  # The tests make servers of their own: none is started with the system.
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/no-main-cluster.conf
fi
apt-get install -y -qq --no-install-recommends postgresql postgresql-contrib >/dev/null
version=$(basename "$(ls -d /usr/lib/postgresql/* | sort -V | tail -n 1)")
if apt-get install -y -qq --no-install-recommends "postgresql-$version-pgvector" >/dev/null 2>&1; then
  exit 0
fi
apt-get install -y -qq --no-install-recommends "postgresql-server-dev-$version" dpkg-dev gcc make libc6-dev >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The address is the system's own, and so is the key; the lists are kept apart.
address=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/debian* 2>/dev/null || true; } |
  sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' | grep -v security | head -n 1)
if [ -z "$address" ]; then
  echo "no Debian source of packages is known here: pgvector cannot be fetched" >&2
  exit 1
fi
keys=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work/lists"
echo "deb-src [signed-by=$keys] $address trixie main" >"$work/sources.list"
source=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists"
  -o APT::Sandbox::User=root)
cd "$work"
apt-get "${source[@]}" update -qq
apt-get "${source[@]}" source --download-only -qq pgvector
mkdir pgvector
tar xf pgvector_*.orig.tar.gz -C pgvector --strip-components=1
# Not for this processor alone: OPTFLAGS is -march=native otherwise.
make -s -C pgvector OPTFLAGS="" PG_CONFIG="/usr/lib/postgresql/$version/bin/pg_config" install >/dev/null
