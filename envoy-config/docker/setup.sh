# What the demo needs before it starts. Nothing is made twice: `docker-compose down -v` forgets it.
set -eu
if [ ! -f /keys/signing.key ]; then
  # In production the signing key stays with whoever releases policies, in an HSM if there is one (`portcullis sign --external`).
  portcullis keygen -o /keys/signing.key > /tmp/keys
  sed -n 's/^public key: *//p' /tmp/keys > /trust/public.key
  portcullis token --name demo --role publisher > /tmp/token
  sed -n 's/^token: *//p' /tmp/token > /keys/token
  sed -n 's/^credentials: *//p' /tmp/token > /trust/credentials
fi
if [ ! -f /etc/portcullis/envoy.yaml ]; then
  cp /usr/share/portcullis/portcullis_filter.wasm /etc/portcullis/
  portcullis compile --policy /policies/policy.yaml --key /keys/signing.key --epoch 1 -o /keys/first.bundle
  portcullis render envoy --bundle /keys/first.bundle --wasm /etc/portcullis/portcullis_filter.wasm \
    --out /etc/portcullis --mounted-at /etc/portcullis --trusted-key "$(cat /trust/public.key)" \
    --upstream bank:9000 --listen 0.0.0.0:8080 --admin 0.0.0.0:9901
fi
