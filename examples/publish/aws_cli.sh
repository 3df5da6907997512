#!/usr/bin/env bash
# Publishes one request with the AWS CLI and prints the pipeline's id.
#   ./aws_cli.sh BUS MESSAGE [PIPELINE_ID]
set -euo pipefail
bus=${1:?which bus? e.g. ai-pipeline-dev-bus}
message=${2:?which message?}
pipeline_id=${3:-}

entries=$(jq --null-input --compact-output --arg bus "$bus" --arg message "$message" --arg id "$pipeline_id" '
  {data: {user_message: $message}} + (if $id == "" then {} else {metadata: {pipeline_id: $id}} end)
  | [{EventBusName: $bus, Source: "ai.pipeline", DetailType: "pipeline.requested.v1", Detail: tojson}]')
answer=$(aws events put-events --entries "$entries" --output json)

# The call succeeds even where EventBridge does not take the entry.
if [ "$(jq .FailedEntryCount <<<"$answer")" != 0 ]; then
  jq --raw-output '.Entries[0] | "not published: \(.ErrorCode): \(.ErrorMessage)"' <<<"$answer" >&2
  exit 1
fi
echo "${pipeline_id:-$(jq --raw-output '.Entries[0].EventId' <<<"$answer")}"
