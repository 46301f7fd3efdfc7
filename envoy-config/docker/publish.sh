# Compiles the policy under the epoch, signs and publishes it, and waits for a control service that is only just starting.
set -eu
export PORTCULLIS_TOKEN="$(cat /keys/token)"
portcullis compile --policy /policies/policy.yaml --key /keys/signing.key --epoch "$EPOCH" -o /keys/next.bundle
tries=0
until portcullis publish /keys/next.bundle; do
  tries=$((tries + 1))
  if [ "$tries" -ge 15 ]; then exit 1; fi
  sleep 2
done
