# What the demo needs before it starts. Nothing is made twice: `docker-compose down -v` forgets it. What a run that failed left
# half done, the next one makes anew: whatever comes in pairs is complete once its last file is there.
set -eu
umask 022
# The value of a line of a file, which must be there, into a file that is whole or not there.
keep() {
  sed -n "s/^$1: *//p" "$2" > "$3.new"
  [ -s "$3.new" ]
  mv "$3.new" "$3"
}
if [ ! -s /trust/public.key ]; then
  # In production the signing key stays with whoever releases policies, in an HSM if there is one (`portcullis sign --external`).
  rm -f /keys/signing.key
  portcullis keygen -o /keys/signing.key > /tmp/keys
  keep 'public key' /tmp/keys /trust/public.key
fi
if [ ! -s /trust/credentials ]; then
  portcullis token --name demo --role publisher > /tmp/token
  keep token /tmp/token /keys/token
  keep credentials /tmp/token /trust/credentials
fi
if [ ! -f /etc/portcullis/envoy.yaml ]; then
  cp /usr/share/portcullis/portcullis_filter.wasm /etc/portcullis/
  portcullis compile --policy /policies/policy.yaml --key /keys/signing.key --epoch 1 -o /keys/first.bundle
  portcullis render envoy --bundle /keys/first.bundle --wasm /etc/portcullis/portcullis_filter.wasm \
    --out /etc/portcullis --mounted-at /etc/portcullis --trusted-key "$(cat /trust/public.key)" \
    --upstream bank:9000 --listen 0.0.0.0:8080
fi
# Who runs `control` and `sync`.
chown -R 10001:10001 /var/lib/portcullis /etc/portcullis

