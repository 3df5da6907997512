"""Functions are measured with several sizes of memory, over TLS, and each size has its price."""

from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import SSLError

from bench.functions.limited import CALL_MS, MODEL_MS, million_usd, summary
from bench.functions.tls import SecureAws, answering

TURN = {"warm_ms": [20.0, 40.0], "paused_ms": [100.0], "calls": 2}


def call(aws: SecureAws, trusted: str, client: Any = None) -> Any:
    """Make a call to `aws` with a client that trusts the authorities in the file `trusted`; return the client."""
    client = client or botocore.session.get_session().create_client(
        "stepfunctions",
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        verify=trusted,
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )
    client.send_task_success(taskToken="token", output="{}")
    return client


def test_a_closed_connection_is_made_again_and_an_unknown_authority_refused(tmp_path):
    """Both lists trust the loopback AWS, also after a pause; Amazon's roots alone do not, as it is not Amazon's."""
    with answering(tmp_path) as aws:
        for trusted in (aws.amazons, aws.botocores):
            client = call(aws, str(trusted))
            aws.drop()
            call(aws, str(trusted), client)
        assert aws.calls == 4
        only_amazon = tmp_path / "only-amazon.pem"
        authorities = aws.amazons.read_text("utf-8").partition("-----END CERTIFICATE-----\n-----BEGIN")[0]
        only_amazon.write_text(f"{authorities}-----END CERTIFICATE-----\n", "utf-8")
        with pytest.raises(SSLError):
            call(aws, str(only_amazon))
        assert aws.calls == 4


def test_a_million_messages_are_priced_with_their_waits():
    """A price is that of the calls and of memory for the measured time and the assumed waits."""
    own_ms = 30 + 2 * CALL_MS
    gb_seconds = 256 / 1_024 * own_ms / 1_000
    assert million_usd("api", 256, [TURN]) == pytest.approx(0.20 + gb_seconds * 13.3334, abs=0.001)
    waits = 128 / 1_024 * (own_ms + MODEL_MS) / 1_000
    assert million_usd("chatbot", 128, [TURN]) == pytest.approx(0.20 + waits * 13.3334, abs=0.001)


def test_the_deployed_size_is_marked():
    """A row of the table says whether a function is deployed with this memory."""
    rows = {size: summary("api", size, [TURN]) for size in (128, 256)}
    assert {size: row["chosen"] for size, row in rows.items()} == {128: False, 256: True}
    assert (rows[256]["p50_ms"], rows[256]["paused_ms"]) == (30.0, 100.0)
