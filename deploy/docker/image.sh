#!/usr/bin/env bash
# Packs a binary into an OCI image without a container builder or a base image: tar, gzip and sha256sum are enough.
#   deploy/docker/image.sh BINARY LAYOUT [NAME] [--dynamic]
# LAYOUT is a directory that is made: `skopeo copy oci:LAYOUT:NAME docker://…` pushes it. NAME is the binary's version by
# default. The same binary gives the same bytes; SOURCE_DATE_EPOCH dates them.
set -euo pipefail

binary=$1
layout=$2
name=${3:-$("$binary" --version | cut -d ' ' -f 2)}
here=$(dirname "$0")
date=@${SOURCE_DATE_EPOCH:-0}
created=$(date -u -d "$date" +%Y-%m-%dT%H:%M:%SZ)
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) architecture=$(uname -m) ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/rootfs.sh" "$binary" "$work/root" ${4:+"$4"}
if [ -e "$layout" ]; then
	echo "image: $layout exists: name a directory that does not" >&2
	exit 1
fi
mkdir -p "$layout/blobs/sha256"

# Moves a file to its place in the layout; prints its digest and size.
put() {
	local sum size
	sum=$(sha256sum "$1" | cut -d ' ' -f 1)
	size=$(stat -c %s "$1")
	mv "$1" "$layout/blobs/sha256/$sum"
	echo "sha256:$sum $size"
}

steady=(--sort=name --mtime="$date" --numeric-owner --format=gnu --mode='u+w,go-w' -C "$work/root")
# The directories that Berth writes to are its user's, all else is root's.
tar "${steady[@]}" --owner=0 --group=0 --exclude=./var/lib/berth --exclude=./var/cache/berth -cf "$work/layer" .
tar "${steady[@]}" --owner=65532 --group=65532 -rf "$work/layer" ./var/lib/berth ./var/cache/berth
diff=sha256:$(sha256sum "$work/layer" | cut -d ' ' -f 1)
gzip -n -6 "$work/layer"
read -r layer layer_size < <(put "$work/layer.gz")

cat >"$work/config" <<JSON
{"created":"$created","architecture":"$architecture","os":"linux","config":{"User":"65532:65532","ExposedPorts":{"5000/tcp":{}},"Entrypoint":["/usr/bin/berth"],"Cmd":["serve","--config","/etc/berth/berth.yaml"],"Volumes":{"/var/lib/berth":{}},"WorkingDir":"/","StopSignal":"SIGTERM","Labels":{"org.opencontainers.image.title":"berth","org.opencontainers.image.version":"$name","org.opencontainers.image.licenses":"Apache-2.0"}},"rootfs":{"type":"layers","diff_ids":["$diff"]},"history":[{"created":"$created","created_by":"deploy/docker/image.sh"}]}
JSON
read -r config config_size < <(put "$work/config")
cat >"$work/manifest" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"$config","size":$config_size},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"$layer","size":$layer_size}]}
JSON
read -r manifest manifest_size < <(put "$work/manifest")
cat >"$layout/index.json" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"$manifest","size":$manifest_size,"annotations":{"org.opencontainers.image.ref.name":"$name"}}]}
JSON
echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
echo "$manifest"
