#!/bin/sh
# Makes what is missing in secrets/: passwords by chance, and a certificate that nobody trusts yet (put your own
# chain and key into secrets/certificate.pem instead). Prints the line for .env with the first user.
#   ./secrets.sh [HOST] [USER]
# BERTH is the program that hashes the password (default: berth in the path, or the image).
set -eu
cd "$(dirname "$0")"
host=${1:-localhost}
user=${2:-ci}
umask 077
mkdir -p secrets
# Containers read the files as their own users: the directory is what keeps others out.
keep() {
	[ -s "secrets/$1" ] || printf %s "$2" >"secrets/$1"
	chmod 0444 "secrets/$1"
}
random() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
keep database_password "$(random)"
keep minio_root_user minio-root
keep minio_root_password "$(random)"
keep access_key_id berth
keep secret_access_key "$(random)"
if [ ! -s secrets/certificate.pem ]; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=$host" \
		-addext "subjectAltName=DNS:$host" -keyout secrets/key.pem -out secrets/chain.pem 2>/dev/null
	cat secrets/chain.pem secrets/key.pem >secrets/certificate.pem
	rm secrets/key.pem
	chmod 0444 secrets/certificate.pem
	echo "secrets: made a certificate for $host; clients need secrets/chain.pem to trust it" >&2
fi
password=$(random)
hash=$(printf %s "$password" | ${BERTH:-berth} passwd)
echo "secrets: password of $user: $password" >&2
printf "BERTH_USERS='[{name: %s, password: \"%s\", access: write}]'\n" "$user" "$hash"
