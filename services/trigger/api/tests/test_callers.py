"""Who a caller is, what is its own, and how its Idempotency-Keys name pipelines."""

import json
from functools import partial
from typing import Any

import pytest

from services.trigger.api import core
from services.trigger.api.core import read_request
from services.trigger.api.listing import listed
from services.trigger.api.routes import EARLIER_IDS_SECONDS, routes
from services.trigger.api.tests.support import ALICE, BOB, answer, get, make_api, make_state, post
from shared.errors import TransientError

OPERATOR = "/operator/pipeline/{pipeline_id}"
POOL = "us-east-1:11111111-1111-1111-1111-111111111111"
KEY = {"Idempotency-Key": "order-1"}
ROLE = "arn:aws:sts::000000000000:assumed-role"
SSO = f"{ROLE}/AWSReservedSSO_PowerUser_0123456789abcdef"


def by(**identity: Any) -> str:
    return read_request({"requestContext": {"identity": identity}}).caller


def cognito(person: str, **more: Any) -> dict[str, Any]:
    """Return the identity of a user of an identity pool, as API Gateway describes it."""
    return {
        "userArn": f"{ROLE}/web/CognitoIdentityCredentials",
        "caller": "AROAEXAMPLE:CognitoIdentityCredentials",
        "cognitoIdentityId": f"us-east-1:{person}",
        "cognitoIdentityPoolId": POOL,
        "cognitoAuthenticationType": "authenticated",
        **more,
    }


@pytest.fixture
def call(records, events):
    """Send a request to the API; return status and body."""
    return partial(answer, routes(make_api(records, events)))


# --- who a caller is -------------------------------------------------------------------------------------


def test_sessions_of_an_ordinary_role_are_one_caller():
    """A role is one caller, whatever its sessions are called: whoever may take the role chooses their names."""
    assert by(userArn=f"{ROLE}/team/monday") == by(userArn=f"{ROLE}/team/tuesday") == f"{ROLE}/team"
    assert by(userArn=f"{ROLE}/team/x") != by(userArn=f"{ROLE}/other/x")


def test_people_of_an_identity_pool_are_told_apart():
    """Users of a Cognito identity pool share a role and a session name; each is a caller, in each of its sessions."""
    assert by(**cognito("alice")) != by(**cognito("bob"))
    assert by(**cognito("alice")) == by(**cognito("alice", userArn=f"{ROLE}/web/another"))
    other_pool = cognito("alice", cognitoIdentityPoolId="us-east-1:other")
    assert by(**other_pool) != by(**cognito("alice"))
    assert by(**cognito("alice", cognitoIdentityPoolId=None)) == "cognito:/us-east-1:alice"


def test_people_of_identity_center_are_told_apart():
    """Users of IAM Identity Center share a permission set's role; its sessions are named after them."""
    assert by(userArn=f"{SSO}/alice@example.com") != by(userArn=f"{SSO}/bob@example.com")
    assert by(userArn=f"{SSO}/alice@example.com") == f"{SSO}/alice@example.com"


def test_a_role_that_only_mentions_identity_center_is_an_ordinary_role():
    """Only a role whose name begins as those of IAM Identity Center is theirs."""
    assert by(userArn=f"{ROLE}/my-AWSReservedSSO_x/monday") == by(
        userArn=f"{ROLE}/my-AWSReservedSSO_x/tuesday"
    )


def test_users_are_callers_by_their_arn():
    """An IAM user and a federated user are callers by their whole ARN; without one, what is known stands for it."""
    assert by(userArn=ALICE) == ALICE
    assert by(userArn="arn:aws:sts::1:federated-user/alice") == "arn:aws:sts::1:federated-user/alice"
    assert by(userArn=None, caller="AIDA", cognitoIdentityId=None) == "AIDA"


# --- what is its own -------------------------------------------------------------------------------------


def test_a_caller_reads_its_own_alone(call):
    """GET of another caller's pipeline is refused with 403, and one of the bus may be read by every caller."""
    _, accepted = call(post({"user_message": "Mine"}))
    assert call(get(accepted["pipeline_id"]))[0] == 200
    status, body = call(get(accepted["pipeline_id"], BOB))
    assert (status, body["error"]["code"]) == (403, "not_owner")
    assert "Mine" not in json.dumps(body)


def test_a_pipeline_of_the_bus_may_be_read_by_every_caller(call, records):
    """A pipeline that was published has no owner: every caller who knows its id reads it."""
    records.advance("published", "RUNNING", {"user_message": "From the bus"})
    for who in (ALICE, BOB):
        assert call(get("published", who))[0] == 200


def test_nobody_waits_for_another_s(records, events):
    """A caller who may not read a pipeline is refused at once, and takes no place of those who wait."""
    state = make_state(records._client, max_waiting=1)
    known = routes(make_api(records, events, state=state, sleep=lambda _: pytest.fail("it waited")))
    _, accepted = answer(known, post({"user_message": "Mine"}))
    event = {**get(str(accepted["pipeline_id"]), BOB), "headers": {"Prefer": "wait=20"}}
    assert answer(known, event)[0] == 403


def test_an_operator_reads_any(call, records):
    """The operators' route shows any pipeline, whoever submitted it: IAM decides who may call it."""
    _, accepted = call(post({"user_message": "Mine"}))
    records.advance("published", "RUNNING", {})
    for name in (accepted["pipeline_id"], "published"):
        assert call(get(name, BOB, OPERATOR))[0] == 200
    for name in ("nobody", "../etc"):
        assert call(get(name, BOB, OPERATOR))[0] == 404


def test_an_operator_cannot_cancel_on_its_route(call):
    """The operators' route only reads."""
    _, accepted = call(post({"user_message": "Mine"}))
    event = {**get(accepted["pipeline_id"], BOB, OPERATOR), "httpMethod": "DELETE"}
    assert call(event)[0] == 404


def test_people_who_share_a_role_do_not_share_pipelines(call):
    """Two users of an identity pool have their own lists, pipelines and keys, although they share a role."""
    alice, bob = cognito("alice"), cognito("bob")
    event = post({"user_message": "Mine"}, KEY)
    _, accepted = call({**event, "requestContext": {"identity": alice}})
    assert call({**event, "requestContext": {"identity": bob}})[1]["pipeline_id"] != accepted["pipeline_id"]
    shown = get(accepted["pipeline_id"])
    assert call({**shown, "requestContext": {"identity": bob}})[0] == 403
    assert call({**shown, "requestContext": {"identity": alice}})[0] == 200


# --- Idempotency-Key -------------------------------------------------------------------------------------


def test_an_id_cannot_be_computed_from_caller_and_key(call):
    """The id of a keyed request depends on a secret that no caller knows."""
    _, accepted = call(post({"user_message": "x"}, KEY))
    assert accepted["pipeline_id"] != core.earlier_keyed_id(ALICE, "order-1")
    assert core.keyed_id(b"one", ALICE, "k") != core.keyed_id(b"two", ALICE, "k")
    assert len(accepted["pipeline_id"]) == 40


def test_a_request_without_a_key_needs_no_secret(records, events):
    """A request without a key, and one that is refused, never reads the secret."""
    state = make_state(records._client)
    state.secret = lambda: pytest.fail("the secret was read")  # type: ignore[method-assign]
    known = routes(make_api(records, events, state=state))
    assert answer(known, post({"user_message": "x"}))[0] == 202
    assert answer(known, post({"user_message": ""}, KEY))[0] == 400
    assert answer(known, post({"user_message": "x"}, {"Idempotency-Key": "a b"}))[0] == 400


def test_without_the_secret_nothing_is_accepted(records, events, monkeypatch):
    """If the secret cannot be read, a keyed request is answered 503 and leaves nothing; repeated, it is accepted."""
    state = make_state(records._client)
    known = routes(make_api(records, events, state=state))

    def fail() -> None:
        raise TransientError("no table")

    with monkeypatch.context() as broken:
        broken.setattr(state, "secret", fail)
        status, body = answer(known, post({"user_message": "x"}, KEY))
        assert (status, body["error"]["code"]) == (503, "unavailable")
        assert records._client.scan(TableName="PipelineLogs")["Count"] == 0
    assert answer(known, post({"user_message": "x"}, KEY))[0] == 202
    assert len(events.entries) == 1


def earlier(records, owner: bool = True) -> str:
    """Store a keyed request as releases up to 0.2.0 did; return its id."""
    pipeline_id = core.earlier_keyed_id(ALICE, "order-1")
    at = "2026-11-29T10:00:00.000Z"
    fields = listed(ALICE, pipeline_id, accepted_at=at, user_message="x") if owner else {}
    assert records.accept(pipeline_id, user_message="x", accepted_at=at, listed=fields)
    return pipeline_id


def test_a_retry_across_the_upgrade_runs_once(call, records, events):
    """A request that an earlier release accepted under its own id is repeated, not started again."""
    before = earlier(records)
    records.advance(before, "RUNNING", {})
    status, body = call(post({"user_message": "x"}, KEY))
    assert (status, body["pipeline_id"], body["status"]) == (202, before, "RUNNING")
    assert call(post({"user_message": "y"}, KEY))[0] == 409
    assert events.entries == []


def test_a_retry_across_the_upgrade_makes_up_for_a_lost_publication(call, records, events):
    """A request that an earlier release recorded but did not publish is published by its repetition."""
    before = earlier(records)
    assert call(post({"user_message": "x"}, KEY))[1]["pipeline_id"] == before
    (detail,) = events.details("pipeline.requested.v1")
    assert detail["metadata"]["pipeline_id"] == before


def test_nobody_takes_an_earlier_id_from_its_caller(call, records):
    """A record under the earlier id that is another's, or came from the bus, is not the caller's request."""
    before = earlier(records, owner=False)
    status, body = call(post({"user_message": "x"}, KEY))
    assert status == 202
    assert body["pipeline_id"] != before


def test_the_earlier_id_is_forgotten_in_time(records, events):
    """The earlier id counts only for a time after the secret was made."""
    before = earlier(records)
    for age, same in ((EARLIER_IDS_SECONDS - 60, True), (EARLIER_IDS_SECONDS + 60, False)):
        state = make_state(records._client)
        secret = state.secret()
        state._secret = type(secret)(value=secret.value, made_at=secret.made_at - age)
        known = routes(make_api(records, events, state=state))
        _, body = answer(known, post({"user_message": "x"}, KEY))
        assert (body["pipeline_id"] == before) is same


def test_a_failing_look_at_the_earlier_id_accepts_nothing(records, events, monkeypatch):
    """If it is not known whether an earlier release accepted the request, it is answered 503."""
    earlier(records)
    known = routes(make_api(records, events))

    def fail(_: str) -> None:
        raise TransientError("no table")

    monkeypatch.setattr(records, "get", fail)
    assert answer(known, post({"user_message": "x"}, KEY))[0] == 503
    assert events.entries == []
