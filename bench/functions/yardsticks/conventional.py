"""A stage as Powertools' documentation shows it: every utility, pydantic models, X-Ray's SDK."""

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel, SqsRecordModel
from pydantic import BaseModel, Json

logger = Logger()
metrics = Metrics()
tracer = Tracer()
processor: Any
store = DynamoDBPersistenceLayer(table_name=os.environ["ANSWERS_TABLE"])
config = IdempotencyConfig(event_key_jmespath="metadata.event_id")
client = boto3.client("stepfunctions")


class Metadata(BaseModel):
    pipeline_id: str
    event_id: str


class Detail(BaseModel):
    metadata: Metadata
    data: dict[str, Any]
    task_token: str


class Event(EventBridgeModel):
    detail: Detail


class Record(SqsRecordModel):
    body: Json[Event]


processor = BatchProcessor(event_type=EventType.SQS, model=Record)


@idempotent_function(data_keyword_argument="detail", config=config, persistence_store=store)  # type: ignore[untyped-decorator]  # Powertools gives it no types
def work(detail: dict[str, Any]) -> dict[str, Any]:
    return {"words": len(str(detail["data"].get("user_message", "")).split())}


@tracer.capture_method
def record_handler(record: Record) -> None:
    detail = record.body.detail
    logger.append_keys(pipeline_id=detail.metadata.pipeline_id)
    result = work(detail=detail.model_dump())
    client.send_task_success(taskToken=detail.task_token, output=json.dumps(result))
    metrics.add_metric(name="Succeeded", unit=MetricUnit.Count, value=1)
    logger.info("done")


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: Any) -> Any:
    config.register_lambda_context(context)
    return process_partial_response(
        event=event, record_handler=record_handler, processor=processor, context=context
    )
