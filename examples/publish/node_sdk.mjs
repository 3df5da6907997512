// Publishes one request with the AWS SDK for JavaScript v3 and prints the pipeline's id.
//   node node_sdk.mjs BUS MESSAGE [PIPELINE_ID]
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";

const [bus, message, pipelineId] = process.argv.slice(2);
const detail = { data: { user_message: message } };
if (pipelineId) detail.metadata = { pipeline_id: pipelineId };

const answer = await new EventBridgeClient().send(
  new PutEventsCommand({
    Entries: [
      {
        EventBusName: bus,
        Source: "ai.pipeline",
        DetailType: "pipeline.requested.v1",
        Detail: JSON.stringify(detail),
      },
    ],
  }),
);

const [entry] = answer.Entries;
if (answer.FailedEntryCount) {
  // The call succeeds even where EventBridge does not take the entry.
  throw new Error(`not published: ${entry.ErrorCode}: ${entry.ErrorMessage}`);
}
console.log(pipelineId ?? entry.EventId);
