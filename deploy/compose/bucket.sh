set -eu
secret() { cat "/run/secrets/$1"; }
mc alias set store http://minio:9000 "$(secret minio_root_user)" "$(secret minio_root_password)" >/dev/null
mc mb --ignore-existing store/berth
mc admin policy create store berth /etc/berth/policy.json
mc admin user add store "$(secret access_key_id)" "$(secret secret_access_key)" >/dev/null
mc admin policy attach store berth --user "$(secret access_key_id)" >/dev/null || true
# Attached before or just now; anything else is a failure.
mc admin user info store "$(secret access_key_id)" | grep -q 'PolicyName: berth'
