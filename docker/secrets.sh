#!/bin/sh
# Makes the secrets that compose.yaml reads, in secrets/ beside it. What is there stays as it is, so
# that it may be run again. The folder is for its owner alone; the files in it can be read by any
# user, as the containers' users are not the host's. Needs openssl.
set -eu
cd "$(dirname "$0")"
umask 022
mkdir -p secrets/providers
chmod 700 secrets

put() {
    [ -e "secrets/$1" ] || printf '%s\n' "$2" > "secrets/$1"
}

put postgres_password "$(openssl rand -hex 24)"
put database_url "postgres://lienzo:$(cat secrets/postgres_password)@postgres:5432/lienzo"
put valkey_conf "requirepass $(openssl rand -hex 24)"
put redis_url "redis://:$(cut -d ' ' -f 2 secrets/valkey_conf)@valkey:6379/0"
put secret_key "$(openssl rand -base64 48)"
put api_key_hmac_secret "$(openssl rand -base64 48)"
put s3_access_key_id "$(openssl rand -hex 10)"
put s3_secret_access_key "$(openssl rand -hex 20)"
put seaweedfs_s3 "{\"identities\": [
  {\"name\": \"lienzo\", \"actions\": [\"Admin\", \"Read\", \"Write\", \"List\", \"Tagging\"],
   \"credentials\": [{\"accessKey\": \"$(cat secrets/s3_access_key_id)\",
                    \"secretKey\": \"$(cat secrets/s3_secret_access_key)\"}]},
  {\"name\": \"anonymous\", \"actions\": [\"Read:generated-images\"]}]}"

# For a first try. A certificate of yours goes into the same two files.
host="${1:-localhost}"
if ! [ -e secrets/tls_key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
        -subj "/CN=$host" -addext "subjectAltName=DNS:$host,IP:127.0.0.1" \
        -keyout secrets/tls_key -out secrets/tls_certificate 2>/dev/null
    chmod 644 secrets/tls_key
fi
