#!/bin/sh
# Lays out the file system of the image: the binary, and the few files that it or the C library in it reads.
#   deploy/docker/rootfs.sh BINARY DIRECTORY [--dynamic]
# With --dynamic the shared libraries that BINARY needs come along; without, it must be a static one.
set -eu

binary=$1
root=$2
here=$(dirname "$0")
if [ "${3-}" != --dynamic ] && ldd "$binary" >/dev/null 2>&1 && ! ldd "$binary" 2>&1 | grep -q 'statically linked'; then
	echo "rootfs: $binary needs shared libraries: build a static one (docs/deploy.md), or say --dynamic" >&2
	exit 1
fi

mkdir -p "$root/usr/bin" "$root/etc/berth" "$root/etc/ssl/certs" "$root/var/lib/berth" "$root/var/cache/berth"
cp "$binary" "$root/usr/bin/berth"
chmod 0755 "$root/usr/bin/berth"
cp "$here/berth.yaml" "$root/etc/berth/berth.yaml"
# Trusted for the database, the object store and other registries.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'berth:x:65532:65532::/var/lib/berth:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'berth:x:65532:' >"$root/etc/group"
# The services that are part of the C library itself; others would be shared libraries.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chmod 0644 "$root/etc/berth/berth.yaml" "$root/etc/ssl/certs/ca-certificates.crt" "$root"/etc/passwd "$root"/etc/group "$root"/etc/nsswitch.conf

if [ "${3-}" = --dynamic ]; then
	ldd "$binary" | sed -n 's/^[^/]*\(\/[^ ]*\) (0x[0-9a-f]*)$/\1/p' | while read -r library; do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done
fi
