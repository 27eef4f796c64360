"""Webhooks: the outbox in Postgres, and senders with real receivers."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import trustme
from prometheus_client import generate_latest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pydantic import SecretStr
from standardwebhooks.webhooks import WebhookVerificationError

from mashup_worker.api.webhook_body import WebhookBodies
from mashup_worker.db import jobs, webhooks
from mashup_worker.db.database import Database
from mashup_worker.errors import InvalidInput, NotFound
from mashup_worker.monitoring.mirror_metrics import MirrorMetrics
from mashup_worker.settings import ApiSettings, InputSettings, ServiceSettings, WebhookSettings
from mashup_worker.tracing import request_trace
from mashup_worker.webhooks.sender import WebhookSender
from mashup_worker.webhooks.signing import signing_secret
from tests.chaos.arena import until, with_port
from tests.hostile.certificates import context_for
from tests.receiver import receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.db.webhooks import Message
    from tests.chaos.arena import Arena
    from tests.receiver import Received, Receiver

    Owner = psycopg.Connection[dict[str, Any]]

API_SECRET = "a secret of the tests, long enough"
SECRET = signing_secret(API_SECRET.encode(), None)
ALL = ["start", "output", "logs", "completed"]


@pytest.fixture
def owner(migrated_url: str) -> Iterator[Owner]:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def database(migrated_url: str, worker_database_url: str) -> Iterator[Database]:
    assert migrated_url
    with Database(worker_database_url) as database:
        yield database


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def insert(owner: Owner, url: str, events: object = None, user: UUID | None = None) -> jobs.Job:
    document = {"audio": "a", "webhook": url, "webhook_events_filter": events}
    return jobs.insert(owner, "separate", document, user_id=user)


def claim(owner: Owner, job: jobs.Job, lease_s: float = 60) -> jobs.Claim:
    claimed = change(
        owner, "claim", id=job.id, worker_id="w", lease_s=lease_s, job_types=["separate"]
    )
    return jobs.Claim(id=job.id, attempt=claimed.attempt, worker_id="w")


def change(owner: Owner, how: jobs.StatusChange, **parameters: Any) -> jobs.Job:
    changed = jobs.change_status(owner, how, **parameters)
    assert changed is not None
    return changed


def complete(owner: Owner, claimed: jobs.Claim) -> jobs.Job:
    return change(
        owner,
        "complete",
        **claimed.fence,
        output=Jsonb({"stems": []}),
        result_digest=None,
        source_sha256=[],
        source_jobs=[],
    )


def ended(owner: Owner, url: str, user: UUID | None = None) -> jobs.Job:
    return complete(owner, claim(owner, insert(owner, url, user=user)))


def outbox(owner: Owner, job: jobs.Job | None = None) -> list[Message]:
    found = webhooks.recent(owner, job_id=None if job is None else job.id, limit=10_000)
    return found[::-1]


def settings_of(
    *, private: bool = True, secret: str | None = API_SECRET, **values: float
) -> ServiceSettings:
    return ServiceSettings(
        inputs=InputSettings(fetch_private=private),
        api=ApiSettings(api_secret=None if secret is None else SecretStr(secret)),
        webhooks=WebhookSettings(
            **{"webhook_timeout_s": 30.0, "webhook_retry_base_s": 0.01, **values}
        ),
    )


@contextmanager
def sending(database: Database, settings: ServiceSettings | None = None) -> Iterator[MirrorMetrics]:
    metrics, settings = MirrorMetrics(1.0), settings or settings_of()
    sender = WebhookSender(database, settings, WebhookBodies(settings), metrics)
    sender.start()
    try:
        yield metrics
    finally:
        sender.stop()


def all_end(owner: Owner) -> None:
    until(lambda: all(one.status != "waiting" for one in outbox(owner)), "the webhooks to end")


def tried(metrics: MirrorMetrics, outcome: str) -> float:
    value = metrics.registry.get_sample_value("mashup_webhook_tries_total", {"outcome": outcome})
    assert value is not None
    return value


def test_messages_show_the_moment_of_their_event_in_order(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    job = insert(owner, f"{receiver.url}/hook?token=1", ALL)
    first = claim(owner, job)
    jobs.heartbeat(owner, first, lease_s=60, progress=10, stage="fetch")
    jobs.heartbeat(owner, first, lease_s=60, progress=40, stage="separate")
    change(owner, "retry", **first.fence, code="storage_failed", message="store", delay_s=0)
    second = claim(owner, job)
    jobs.heartbeat(owner, second, lease_s=60, progress=5, stage="fetch")
    done = complete(owner, second)
    with sending(database) as metrics:
        all_end(owner)
    seen = [
        (one.document["status"], one.document["attempt"], one.document["progress"])
        for one in receiver.received
    ]
    assert seen == [
        ("processing", 1, 0),
        ("processing", 1, 40),  # the newest progress replaces one that was not sent
        ("processing", 2, 0),
        ("processing", 2, 5),
        ("completed", 2, 100),
    ]
    for one in receiver.received:
        one.verify(SECRET)
        assert one.path == "/hook?token=1"
        assert one.headers["content-type"] == "application/json"
    stages = [one.document["stage"] for one in receiver.received]
    assert stages == [None, "separate", None, "fetch", None]
    assert all(one.document["output_data"] is None for one in receiver.received[:-1])
    assert all(one.document["completed_at"] is None for one in receiver.received[:-1])
    assert receiver.received[2].document["error_code"] == "storage_failed"
    assert receiver.received[-1].body == WebhookBodies(settings_of())(done)
    assert len(set(receiver.ids())) == 5
    assert tried(metrics, "delivered") == 5


def test_every_end_of_a_job_is_sent_by_default(owner: Owner) -> None:
    def waiting() -> jobs.Job:
        return insert(owner, "https://a.test")

    error = {"code": "internal_error", "message": "probe"}
    ends = [complete(owner, claim(owner, waiting()))]
    ends.append(change(owner, "fail", **claim(owner, waiting()).fence, **error))
    ends.append(change(owner, "reject", id=waiting().id, **error))
    owner.execute("UPDATE ai_jobs SET max_attempts = 1 WHERE id = %s", [(last := waiting()).id])
    claim(owner, last, lease_s=-1)
    ends.append(change(owner, "expire", id=last.id, **error))
    jobs.request_cancel(owner, (one := waiting()).id)
    ends.append(change(owner, "cancel_waiting", id=one.id))
    running = claim(owner, waiting())
    jobs.request_cancel(owner, running.id)
    ends.append(change(owner, "cancel_running", **running.fence))
    found = outbox(owner)
    assert [(one.job_id, one.event) for one in found] == [(one.id, "completed") for one in ends]
    states = [webhooks.job_of(owner, one) for one in found]
    assert states == ends


@pytest.mark.parametrize(
    ("events", "sent"),
    [
        (ALL, ["start", "logs", "completed"]),
        (["start"], ["start"]),
        (["output"], ["output"]),
        (["output", "logs"], ["logs", "output"]),
        (["completed"], ["completed"]),
        (None, ["completed"]),
        ([], []),
    ],
)
def test_the_filter_selects_events(owner: Owner, events: object, sent: list[str]) -> None:
    claimed = claim(owner, insert(owner, "https://a.test", events))
    for progress in (1, 1):
        jobs.heartbeat(owner, claimed, lease_s=60, progress=progress, stage="fetch")
    complete(owner, claimed)
    assert [one.event for one in outbox(owner)] == sent


@pytest.mark.parametrize("url", [7, None, ["https://a.test"], "", "ftp://a.test", "https://"])
def test_jobs_without_a_usable_address_send_nothing(owner: Owner, url: Any) -> None:
    assert ended(owner, url).status == "completed"
    assert outbox(owner) == []


@pytest.mark.parametrize(
    ("url", "events"),
    [
        (f"https://{'𝄞' * 2_000}", None),
        ("https://a.test", "all"),
        ("https://a.test", {"start": 1}),
        ("https://a.test", [1, ["start"], None]),
        (f"https://a.test/{'x' * 200_000}", ALL),
        ("https://u:p@A.test:99/x?y#z", ALL),
    ],
)
def test_no_input_stops_a_job(owner: Owner, url: str, events: object) -> None:
    assert complete(owner, claim(owner, insert(owner, url, events))).status == "completed"
    assert {one.host for one in outbox(owner)} <= {"𝄞" * 255, "a.test", "a.test:99"}


def test_messages_exist_if_and_only_if_the_change_is_committed(owner: Owner) -> None:
    claimed = claim(owner, insert(owner, "https://a.test"))
    with owner.transaction(force_rollback=True):
        complete(owner, claimed)
        assert len(outbox(owner)) == 1
    assert outbox(owner) == []
    with owner.transaction():
        complete(owner, claimed)
    assert len(outbox(owner)) == 1
    owner.execute("DELETE FROM ai_jobs")
    assert outbox(owner) == []


def test_messages_are_signed_for_the_owner_of_the_job(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    users: list[UUID | None] = [uuid4(), uuid4(), None]
    for user in users[:2]:
        owner.execute("INSERT INTO profiles (id) VALUES (%s)", [user])
    for user in users:
        ended(owner, receiver.url, user)
    with sending(database):
        all_end(owner)
    for one in receiver.received:
        for user in users:
            secret = signing_secret(API_SECRET.encode(), user)
            if str(user) == str(one.document["user_id"]):
                one.verify(secret)
            else:
                with pytest.raises(WebhookVerificationError):
                    one.verify(secret)


def test_messages_carry_the_trace_context_of_their_job(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with request_trace(traceparent):
        traced = ended(owner, receiver.url)
    ended(owner, receiver.url)
    with sending(database):
        all_end(owner)
    carried = {one.document["id"]: one.headers.get("traceparent") for one in receiver.received}
    assert carried.pop(str(traced.id)) == traceparent
    assert list(carried.values()) == [None]


def test_a_failed_try_is_repeated_with_the_same_id(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    statuses = iter([500, 302, 408, 409, 425, 429, 200])
    receiver.answer = lambda _: next(statuses)
    ended(owner, f"{receiver.url}/hook?token=1")
    with sending(database) as metrics:
        all_end(owner)
    assert len(receiver.received) == 7
    assert len(set(receiver.ids())) == len({one.body for one in receiver.received}) == 1
    assert {one.path for one in receiver.received} == {"/hook?token=1"}
    [message] = outbox(owner)
    assert (message.status, message.tries, message.error) == ("delivered", 7, None)
    assert (tried(metrics, "failed"), tried(metrics, "delivered")) == (6, 1)


def test_later_messages_wait_for_earlier_ones_of_their_job(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    statuses = iter([503, 503])
    receiver.answer = lambda one: next(statuses, 200) if one.document["progress"] == 0 else 200
    complete(owner, claim(owner, insert(owner, receiver.url, ["start", "completed"])))
    with sending(database):
        all_end(owner)
    assert [one.document["progress"] for one in receiver.received] == [0, 0, 0, 100]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_a_refused_message_is_dead_until_it_is_retried(
    owner: Owner, database: Database, receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda _: status
    ended(owner, f"{receiver.url}/hook?token=1")
    with sending(database) as metrics:
        all_end(owner)
        [dead] = outbox(owner)
        host = receiver.url.removeprefix("http://")
        assert (dead.status, dead.error) == ("dead", f"{host}: answered {status}")
        assert tried(metrics, "dead") == len(receiver.received) == 1
        receiver.answer = lambda _: 200
        assert [one.id for one in webhooks.retry(owner, dead.id)] == [dead.id]
        all_end(owner)
    assert receiver.ids() == [str(dead.id)] * 2
    with pytest.raises(InvalidInput, match="delivered"):
        webhooks.retry(owner, dead.id)
    with pytest.raises(NotFound):
        webhooks.retry(owner, uuid4())
    assert webhooks.retry(owner) == []


def test_tries_end_after_the_time_for_them(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    complete(owner, claim(owner, insert(owner, receiver.url, ["start", "completed"])))
    with sending(database, settings_of(webhook_retry_s=0.2)):
        all_end(owner)
    first, last = outbox(owner)
    assert (first.status, last.status) == ("dead", "dead")
    assert first.tries > 1
    assert last.tries > 1  # it has its own time, which begins with its first try
    progress = [one.document["progress"] for one in receiver.received]
    assert progress == sorted(progress)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/hook?token=secret",
        "https://[::1]/hook?token=secret",
        "https://169.254.169.254/secret",
        "https://localhost/secret",
        "http://example.com/secret",
        "https://user:secret@example.com/",
        "https://example.com:8443/secret",
    ],
)
def test_addresses_that_must_not_be_reached_are_dead_at_once(
    owner: Owner, database: Database, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended(owner, url)
    with sending(database, settings_of(private=False)):
        all_end(owner)
    [message] = outbox(owner)
    assert (message.status, message.tries) == ("dead", 1)
    assert message.error
    for text in (message.error, caplog.text, repr(message)):
        assert "secret" not in text


def test_a_closed_port_is_tried_again(owner: Owner, database: Database) -> None:
    with receiving() as gone:
        job = ended(owner, f"{gone.url}/secret")
    with sending(database, settings_of(webhook_retry_base_s=600.0)):
        until(lambda: outbox(owner, job)[0].error is not None, "the first try")
    [message] = outbox(owner)
    assert message.status == "waiting"
    assert message.error is not None
    assert "Connection refused" in message.error
    assert "secret" not in message.error


def test_messages_are_sent_over_tls(
    owner: Owner, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with (
        receiving(context_for(authority, "127.0.0.1")) as trusted,
        receiving(context_for(trustme.CA(), "127.0.0.1")) as unknown,
        monkeypatch.context() as environment,
    ):
        environment.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        ended(owner, trusted.url)
        refused = ended(owner, unknown.url)
        with sending(database, settings_of(webhook_retry_s=0.01)):
            all_end(owner)
    trusted.received[0].verify(SECRET)
    assert unknown.received == []
    assert outbox(owner, refused)[0].status == "dead"


def test_a_receiver_that_hangs_delays_no_others(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    released = threading.Event()
    with receiving() as hanging:
        hanging.answer = lambda _: 200 if released.wait(120) else 500
        for _ in range(20):
            ended(owner, hanging.url)
        with sending(database):
            until(lambda: len(hanging.received) == 2, "the receiver to hang")
            for _ in range(20):
                ended(owner, receiver.url)
            until(lambda: len(receiver.received) == 20, "the other receiver")
            assert len(hanging.received) == 2
            released.set()
            all_end(owner)
        assert hanging.most_at_once == 2
        assert len(set(hanging.ids())) == len(hanging.ids()) == 20


def test_an_owner_with_many_receivers_that_hang_delays_no_others(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    released = threading.Event()
    user = uuid4()
    owner.execute("INSERT INTO profiles (id) VALUES (%s)", [user])
    with receiving() as hanging:
        hanging.answer = lambda _: 200 if released.wait(120) else 500
        port = hanging.url.rpartition(":")[2]
        for number in range(1, 31):
            ended(owner, f"http://127.0.0.{number}:{port}", user)
        # The limits depend on the stored names of hosts; all addresses must lead to one receiver.
        owner.execute(
            "UPDATE mashup_worker.webhooks SET url = %s WHERE user_id = %s", [hanging.url, user]
        )
        with sending(database):
            until(lambda: len(hanging.received) == 8, "the receivers to hang")
            ended(owner, receiver.url)
            all_of = outbox(owner)
            until(lambda: len(receiver.received) == 1, "the other receiver")
            assert len(hanging.received) == 8
            released.set()
            all_end(owner)
    assert len(all_of) == 31


def test_a_receiver_that_never_answers_meets_the_deadline(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    released = threading.Event()
    receiver.answer = lambda _: 200 if released.wait(120) else 500
    ended(owner, receiver.url)
    with sending(database, settings_of(webhook_timeout_s=0.2, webhook_retry_base_s=600.0)):
        until(lambda: outbox(owner)[0].error is not None, "the deadline")
    released.set()
    [message] = outbox(owner)
    assert message.error == "127.0.0.1: took too long; try again later"
    assert message.status == "waiting"


def test_several_senders_share_the_messages(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    for _ in range(60):
        complete(owner, claim(owner, insert(owner, receiver.url, ["start", "completed"])))
    with sending(database) as one, sending(database) as other:
        all_end(owner)
    assert len(receiver.ids()) == len(set(receiver.ids())) == 120
    assert tried(one, "delivered") + tried(other, "delivered") == 120
    for job in {one.document["id"] for one in receiver.received}:
        progress = [o.document["progress"] for o in receiver.received if o.document["id"] == job]
        assert progress == [0, 100]


def test_the_outcome_of_a_lost_lease_is_not_recorded(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    ended(owner, receiver.url)
    with database.transaction() as connection:
        [slow] = webhooks.claim(connection, limit=9, per_host=2, per_owner=8, lease_s=0.2)
        assert webhooks.claim(connection, limit=9, per_host=2, per_owner=8, lease_s=1) == []
    with sending(database):
        all_end(owner)
    assert receiver.ids() == [str(slow.id)]
    with database.transaction() as connection:
        assert webhooks.delivered(connection, slow) is None
        assert (
            webhooks.failed(connection, slow, error="x", delay_s=0, retry_s=0, final=True) is None
        )
    assert outbox(owner)[0].status == "delivered"


def test_without_a_secret_messages_wait_and_the_log_says_so_once(
    owner: Owner, database: Database, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with sending(database, settings_of(secret=None)), caplog.at_level(logging.WARNING):
        ended(owner, receiver.url)
        until(lambda: "MASHUP_API_SECRET" in caplog.text, "the warning")
        ended(owner, receiver.url)
    assert caplog.text.count("MASHUP_API_SECRET") == 1
    assert [(one.status, one.tries) for one in outbox(owner)] == [("waiting", 0)] * 2
    with sending(database):
        all_end(owner)
    assert len(receiver.received) == 2


def test_delivered_messages_are_removed_and_others_counted(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 410 if len(receiver.received) == 1 else 200
    with sending(database):
        for _ in range(2):
            ended(owner, receiver.url)
            all_end(owner)
    ended(owner, receiver.url)
    owner.execute("UPDATE mashup_worker.webhooks SET created_at = now() - interval '100 s'")
    with database.transaction() as connection:
        assert webhooks.remove_delivered(connection, age_s=3_600) == 0
        assert webhooks.remove_delivered(connection, age_s=0) == 1
        found = webhooks.summary(connection)
    assert (found.waiting, found.dead) == (1, 1)
    assert 100 <= found.oldest_s < 700
    metrics = MirrorMetrics(1.0)
    metrics.set_webhooks(found)
    assert b"mashup_webhooks_waiting 1.0" in generate_latest(metrics.registry)


def test_a_job_with_input_that_cannot_be_read_is_sent_without_it(
    owner: Owner, database: Database, receiver: Receiver
) -> None:
    broken = insert(owner, receiver.url)
    owner.execute(
        "UPDATE ai_jobs SET input_data = input_data || ('{\"x\": ' || repeat('9', 5000) || '}')"
        "::jsonb WHERE id = %s",
        [broken.id],
    )
    with database.transaction() as connection:  # unlike the owner's, it reads any JSON
        complete(connection, claim(connection, broken))
    with sending(database, settings_of(webhook_retry_s=0.01)):
        all_end(owner)
    [message] = receiver.received
    assert (message.document["id"], message.document["input_data"]) == (str(broken.id), {})


def test_users_and_clients_without_an_account_see_no_messages(owner: Owner) -> None:
    ended(owner, "https://a.test/secret")
    for role in ("anon", "authenticated", "service_role"):
        owner.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("SELECT url FROM mashup_worker.webhooks")
        owner.execute("RESET ROLE")


def test_an_outcome_that_cannot_be_recorded_is_found_by_sending_again(place: Arena) -> None:
    with receiving() as receiver, place.sql() as owner:

        def answer(_request: Received) -> int:
            place.postgres_proxy.set_mode("refuse" if len(receiver.received) == 1 else "pass")
            return 200

        receiver.answer = answer
        mirror = place.mirror(
            DATABASE_URL=with_port(place.info.worker_database_url, place.postgres_proxy.port),
            MASHUP_API_SECRET=API_SECRET,
            MASHUP_FETCH_PRIVATE="true",
            MASHUP_WEBHOOK_TIMEOUT_S="1",
        )
        until(mirror.is_ready, "the mirror")
        ended(owner, receiver.url)
        until(lambda: len(receiver.received) == 1, "the first try")
        until(lambda: "it is sent again" in mirror.log.read_text(), "the outage")
        place.postgres_proxy.set_mode("pass")
        all_end(owner)
    assert len(receiver.received) == 2
    assert len(set(receiver.ids())) == 1
    assert mirror.end() == 0


def test_a_mirror_killed_during_a_delivery_loses_nothing(place: Arena) -> None:
    """The receiver has the message, and the sender dies before it can record that."""
    settings = {
        "MASHUP_API_SECRET": API_SECRET,
        "MASHUP_FETCH_PRIVATE": "true",
        "MASHUP_WEBHOOK_TIMEOUT_S": "5",
    }
    released = threading.Event()
    with receiving() as receiver, place.sql() as owner:
        receiver.answer = lambda _: 200 if released.wait(120) else 500
        first = place.mirror(**settings)
        until(first.is_ready, "the mirror")
        jobs_made = [ended(owner, receiver.url) for _ in range(5)]
        until(lambda: len(receiver.received) == 2, "the deliveries")
        assert first.process is not None
        first.process.kill()
        first.process.wait()
        released.set()
        known = receiver.ids()
        second = place.mirror(**settings)
        until(second.is_ready, "the other mirror")
        all_end(owner)
        assert {one.status for one in outbox(owner)} == {"delivered"}
    for one in receiver.received:
        one.verify(SECRET)
    assert all(receiver.ids().count(one) == 2 for one in known)
    assert {one.document["id"] for one in receiver.received} == {str(one.id) for one in jobs_made}
    assert len(set(receiver.ids())) == 5
    assert second.end() == 0
