"""The designs that are compared, each on its own engine, with the same limits and the same model server."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.end_to_end.burst import Entrance
from bench.end_to_end.direct import (
    DETAIL_TYPE,
    PATIENT_RETRY,
    REFERENCE_RETRY,
    SOURCE,
    DirectDesign,
)
from chaos.deployment import Deployment
from local.deploy import up
from local.model_server import ModelServer, Reply, model_server
from local.paths import STATE
from local.testing import PREFIX, own_engine
from shared.contracts import envelope
from shared.contracts.stages import ANSWERING, STAGES
from shared.contracts.v1 import PipelineRequested

EVENTS, DIRECT, PATIENT = "events", "direct", "direct, patient"
RETRIES: Mapping[str, Mapping[str, Any]] = {DIRECT: REFERENCE_RETRY, PATIENT: PATIENT_RETRY}


@dataclass
class SlowModel:
    """A model that answers after `seconds`, which may be changed between bursts."""

    seconds: float = 0.0
    text: str = "A queue takes what comes and gives what can be done. " * 12

    def __call__(self, _: str) -> Reply:
        return Reply(text=self.text, delay_seconds=self.seconds)


@dataclass
class Arena:
    """The deployed designs. `limits` are concurrent invocations by service, including the starter."""

    model: SlowModel
    limits: Mapping[str, int]
    designs: dict[str, tuple[Deployment, Entrance]] = field(default_factory=dict)


def limits(chatbot: int, others: int) -> dict[str, int]:
    return {
        "starter": others,
        **{stage.service: chatbot if stage is ANSWERING else others for stage in STAGES},
    }


@contextmanager
def arena(concurrency: Mapping[str, int], designs: tuple[str, ...]) -> Iterator[Arena]:
    """Deploy the real app to a separate engine for each design, and a direct design beside it if not EVENTS."""
    model = SlowModel()
    with ExitStack() as stack:
        server = stack.enter_context(model_server(model))
        rivals = Arena(model=model, limits=concurrency)
        for design in designs:
            deployment = stack.enter_context(_deployed(design, server))
            rivals.designs[design] = (deployment, _entrance(deployment, design, concurrency))
        yield rivals


@contextmanager
def _deployed(design: str, server: ModelServer) -> Iterator[Deployment]:
    folder = STATE / f"bench-{design.replace(', ', '-')}"
    with own_engine(folder, model=server.model) as engine:
        yield Deployment(engine, up(engine))


def _entrance(deployment: Deployment, design: str, concurrency: Mapping[str, int]) -> Entrance:
    if design == EVENTS:
        _limit_queues(deployment, concurrency)
        machine = deployment.target.addresses.state_machine_arn
        return Entrance(
            design=design,
            source=envelope.SOURCE,
            detail_type=PipelineRequested.detail_type(),
            machine_arn=machine,
        )
    direct = DirectDesign(deployment, concurrency, RETRIES[design])
    return Entrance(design=design, source=SOURCE, detail_type=DETAIL_TYPE, machine_arn=direct.machine_arn)


def _limit_queues(deployment: Deployment, concurrency: Mapping[str, int]) -> None:
    client = deployment.client("lambda")
    for function, most in concurrency.items():
        name = f"{PREFIX}-{function}"
        (mapping,) = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": most})
