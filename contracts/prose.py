"""The paragraphs of docs/contracts.md that no type can say."""

from shared.contracts import limits
from shared.contracts.envelope import SOURCE

INTRODUCTION = f"""\
# Contracts

<!-- Made by `make schemas` from the types and the stage table. Edit those, or contracts/. -->

For teams that publish to the AI pipeline or listen to it. The same for machines:
[asyncapi.json](asyncapi.json) (the bus), [openapi.json](openapi.json) (the API),
[JSON Schemas](../shared/contracts/schemas) of every event.

An event's source is `{SOURCE}`, its detail-type is `<name>.v<major version>`, its detail is
`{{"metadata": {{…}}, "data": {{…}}}}`. Producing is closed: a field that is not named here is a mistake.
Consuming is open: ignore fields you do not know.

## Publish a request

```sh
aws events put-events --entries '[{{"EventBusName": "ai-pipeline-prod-bus", "Source": "{SOURCE}",
  "DetailType": "pipeline.requested.v1",
  "Detail": "{{\\"data\\": {{\\"user_message\\": \\"What is a monad?\\"}}}}"}}]'
```

[examples/publish](../examples/publish) has this with the AWS CLI, with boto3 and with the AWS SDK for
JavaScript.

- **Right**: the managed policy `ai-pipeline-<env>-publisher`. It allows `pipeline.requested` from this source
  on this bus, and no other event: no request to a stage can be forged with it.
- **Bus**: its name is the SSM parameter `/ai-pipeline/<env>/bus/name`.
- **Answer of PutEvents**: look at `FailedEntryCount`, also when the call itself succeeds. The entry's `EventId`
  is the pipeline's id, unless the event's metadata gives a `pipeline_id` of your own (1 to 64 letters, digits,
  `_` or `-`). The same id twice is one run.
- **Message**: 1 to {limits.MESSAGE_CHARS:,} characters, not blank, at most {limits.MESSAGE_BYTES:,} bytes of
  UTF-8 and {limits.MESSAGE_JSON_BYTES:,} bytes of JSON. A schema can say the first two only;
  `pipeline publish --check event.json` says all of it, before anything is sent.
- **Result**: `GET <api>/pipeline/<id>`, or a rule of your own for
  [pipeline.completed.v1](#pipelinecompletedv1) and [pipeline.failed.v1](#pipelinefailedv1).

## When an event is refused

An event that breaks its contract starts nothing and is not retried. It is kept in the DLQ of the service that
refused it, and [contract.rejected.v1](#contractrejectedv1) is published. It tells where the event is wrong
(`path`), why (`reason`), and which event it is: `rejected_event_id` is the `EventId` that PutEvents gave its
publisher. It never holds text of the message. A rule that hears of refused requests:

```json
{{"source": ["{SOURCE}"], "detail-type": ["contract.rejected.v1"],
 "detail": {{"data": {{"rejected_detail_type": [{{"prefix": "pipeline.requested."}}]}}}}}}
```

Three mistakes are not told this way:

- A detail that is no JSON is refused by PutEvents itself (`MalformedDetail`).
- An event that IAM does not allow makes the call fail with AccessDenied.
- An event with another source or an unknown detail-type matches no rule: PutEvents succeeds, and nobody hears
  of it."""

VERSIONS = """\
## Versions

The number in the detail-type is the major version. Within a version only what nobody notices may change: a new
optional field, a better description. Whatever an old consumer could not read of a new event, or a new consumer
of an old one, is a new version beside the old one; services read the versions they name, and raise an older one
step by step before they use it. `pipeline contracts check` says what changed since the last release, who can't
read it and which service breaks; CI refuses what breaks."""

OF_A_STAGE = """\
The pipeline's own: it carries the task token with which the stage answers, and nobody else may publish it."""
TYPES = "What the events above are made of."
