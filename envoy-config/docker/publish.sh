# Compiles the policy under the epoch, signs and publishes it, and waits for a control service that is only just starting.
set -eu
export PORTCULLIS_TOKEN="$(cat /keys/token)"
portcullis compile --policy /policies/policy.yaml --key /keys/signing.key --epoch "$EPOCH" -o /keys/next.bundle
tries=0
until said="$(portcullis publish /keys/next.bundle 2>&1)"; do
  echo "$said" >&2
  case "$said" in
    *'409: '*'other content'*)
      echo "another policy was published under epoch $EPOCH: EPOCH=$((EPOCH + 1)) docker-compose run --rm publish" >&2
      exit 1 ;;
    *'409: '*)
      # Epoch 1 is what every `up` publishes: one that finds a newer policy leaves it.
      if [ "$EPOCH" = 1 ]; then exit 0; fi
      exit 1 ;;
    # Another answer of the service does not change either.
    *'error: 4'[0-9][0-9]': '*) exit 1 ;;
  esac
  tries=$((tries + 1))
  if [ "$tries" -ge 15 ]; then exit 1; fi
  sleep 2
done
echo "$said"
