#!/bin/bash
# Run a make target on a fresh Debian that has only python3, pip and make: no venv module, no git,
# no compiler, pip refusing to touch the system (PEP 668). docs/howto/fresh-machine.md explains.
#
#   sudo scripts/fresh_machine.sh USER TARGET [VARIABLE=value …]
#   sudo scripts/fresh_machine.sh ann test          as an ordinary user of that name
#   sudo scripts/fresh_machine.sh root demo ONCE=1  as root
#
# What is committed is tested, not what lies in the working tree. Where packages come from is taken
# from this machine: apt's sources, pip's and npm's configuration, the trusted certificates.
# FRESH_ROOT (default /var/tmp/gatehouse-fresh) keeps the base system between runs.
set -euo pipefail

if [[ $# -lt 2 || $EUID -ne 0 ]]; then
  sed -n '2,11s/^# \{0,1\}//p' "$0"
  exit 2
fi
user=$1
shift
checkout=$(cd "$(dirname "$0")/.." && pwd)
root=${FRESH_ROOT:-/var/tmp/gatehouse-fresh}
base=$root/base machine=$root/machine-$user
suite=${FRESH_SUITE:-bookworm}

unmount() {
  for place in dev/shm dev/pts dev proc "${local_indexes[@]}"; do
    mountpoint -q "$machine/$place" && umount -l "$machine/$place"
  done
  return 0
}

# Indexes that pip is configured to read from this machine's disk must be there in the new one too.
mapfile -t local_indexes < <(python3 -m pip config list 2>/dev/null |
  grep -oE '(file://)?/[^ '"'"'"]+' | sed -e 's#^file://##' -e 's#^/##' -e 's#/simple/*$##' |
  while read -r path; do [[ -d /$path ]] && echo "$path"; done | sort -u)

if [[ ! -e $base/.complete ]]; then
  echo "== building a bare $suite in $base"
  rm -rf "$base"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$base" "$mirror" >"$root.log" 2>&1 ||
    { tail -5 "$root.log"; exit 1; }
  cp -r /etc/apt/sources.list.d /etc/apt/apt.conf.d "$base/etc/apt/"
  find "$base/etc/apt/sources.list.d" -name '*.disabled*' -delete
  sed -i "s/\b$(. /etc/os-release && echo "$VERSION_CODENAME")\b/$suite/g" "$base"/etc/apt/sources.list.d/*
  rm -f "$base/etc/apt/sources.list" "$base"/etc/apt/apt.conf.d/*packagekit* "$base"/etc/apt/apt.conf.d/*appstream*
  [[ -e /etc/apt/sources.list ]] && cp /etc/apt/sources.list "$base/etc/apt/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
  cp -L /etc/resolv.conf /etc/hosts "$base/etc/"
  for file in /etc/pip.conf /etc/npmrc; do [[ -e $file ]] && cp "$file" "$base/etc/"; done
  chroot "$base" apt-get -qq update
  chroot "$base" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends python3 python3-pip make
  touch "$base/.complete"
fi

echo "== a fresh copy for $user in $machine"
unmount
rm -rf --one-file-system "$machine"
cp -a "$base" "$machine"
trap unmount EXIT
mount -t proc proc "$machine/proc"
mount --bind /dev "$machine/dev"
mount --bind /dev/pts "$machine/dev/pts"
mount -t tmpfs tmpfs "$machine/dev/shm"
for place in "${local_indexes[@]}"; do
  mkdir -p "$machine/$place"
  mount --bind -o ro "/$place" "$machine/$place"
done

home=/root
if [[ $user != root ]]; then
  chroot "$machine" useradd --create-home --shell /bin/bash "$user"
  home=/home/$user
fi
for file in .config/pip/pip.conf .npmrc; do
  [[ -e $HOME/$file ]] && install -D -m 600 "$HOME/$file" "$machine$home/$file"
done
mkdir "$machine$home/gatehouse"
git -C "$checkout" archive HEAD | tar -x -C "$machine$home/gatehouse"
chroot "$machine" chown -R "$user:" "$home"

settings=()
for name in $(compgen -e | grep -E '^(PIP|UV)_|_CERTS?$|^SSL_CERT|_CA_BUNDLE$|_proxy$|_PROXY$' || true); do
  settings+=("$name=${!name}")
done
echo "== make $* as $user"
chroot "$machine" env -i HOME="$home" USER="$user" LANG=C.UTF-8 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" \
  runuser -u "$user" -- sh -c 'cd "$HOME/gatehouse" && exec make "$@"' make "$@"
