#!/bin/sh
# Writes what the event normalizer says of every sample. Argument: its binary.
set -u
normalizer=${1:?the path of an event-normalizer binary}
cd "$(dirname "$0")" || exit 1
for body in *.json; do
  # It exits with 1 where an item is a dead letter.
  "$normalizer" translate --vendor infobip --channel sms <"$body" >"${body%.json}.expected.jsonl" || [ $? -eq 1 ] || exit 1
done
