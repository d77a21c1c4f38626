"""Channels of every kind, over the wire: what arrives, and what becomes of one that refuses, hangs, or can't be read."""

import json
import logging
import time
from typing import Any

import pytest

from fixtures.airflow import SetConnection
from fixtures.channels import Mailbox, Webhook, deaf_port, free_port
from syrve.notifications.channels import open_channels
from syrve.notifications.errors import UnusableChannel

CONNECTION = "syrve_notifications"
BODY = "Organization 5f4e0009\n- charged_hold_open (critical): 1 opened, 5.00 <b>&\nReport: https://reports.example.org/a_b.html"


def test_webhook_gets_title_text_and_kind(webhook: Webhook, connecting: Any) -> None:
    (channel,) = connecting(webhook.path)

    assert channel.send("Syrve wallets: 1 opened", BODY, "failure") is True
    ((path, posted),) = webhook.posted
    assert path == "/hook/secret-token"
    assert (posted["title"], posted["message"], posted["type"]) == ("Syrve wallets: 1 opened", BODY, "failure")


def test_mail_goes_out_with_subject_and_text(mailbox: Mailbox, connecting: Any) -> None:
    (channel,) = connecting(mailbox.path)

    assert channel.send("Syrve wallets: 1 opened", BODY, "warning") is True
    (mail,) = mailbox.mails
    assert (mail["Subject"], mail["To"]) == ("Syrve wallets: 1 opened", "ops@example.org")
    text = mail.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert text.replace("\r\n", "\n").strip() == BODY


def test_slack_gets_the_text_as_it_is(webhook: Webhook, connecting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack

    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{webhook.port}/services")
    (channel,) = connecting("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#wallets")

    assert channel.send("Syrve wallets: 1 opened", BODY, "failure") is True
    ((path, posted),) = webhook.posted
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert posted["channel"] == "#wallets"
    told = json.dumps(posted)
    assert "charged_hold_open (critical): 1 opened" in told
    assert "https://reports.example.org/a_b.html" in told
    assert "image" not in told, "Slack is to load nothing from elsewhere"
    assert "icon_url" not in told


@pytest.mark.parametrize("status", [302, 400, 403, 500])
def test_refusal_is_no_success_and_the_log_holds_no_address(
    webhook: Webhook, connecting: Any, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook.status = status
    (channel,) = connecting(webhook.path)

    assert channel.send("title", BODY, "info") is False
    assert str(status) in caplog.text
    assert "secret-token" not in caplog.text


def test_line_breaks_add_no_header_and_no_receiver(mailbox: Mailbox, connecting: Any) -> None:
    (channel,) = connecting(mailbox.path)

    for end in ("\n", "\r\n", "\r", "\u2028"):
        assert channel.send(f"Syrve{end}Bcc: thief@example.org{end}{end}text", f"a{end}.{end}Bcc: x", "warning")

    assert [mail["Subject"] for mail in mailbox.mails] == ["Syrve Bcc: thief@example.org text"] * 4
    assert {(mail["To"], mail["Bcc"]) for mail in mailbox.mails} == {("ops@example.org", None)}


def test_refused_mail_is_no_success(mailbox: Mailbox, connecting: Any) -> None:
    mailbox.refuses = True
    (channel,) = connecting(mailbox.path)

    assert channel.send("title", BODY, "info") is False
    assert mailbox.mails == []


@pytest.mark.parametrize(
    "path",
    ["json://127.0.0.1:{}/?rto=0.2&cto=0.2", "mailto://127.0.0.1:{}/?from=a@b.cd&to=a@b.cd&mode=insecure&cto=0.2"],
)
def test_channel_that_hangs_or_is_not_there_ends_soon(connecting: Any, path: str) -> None:
    with deaf_port() as port:
        deaf, absent = connecting(path.format(port), path.format(free_port()))
        started = time.monotonic()

        assert deaf.send("title", BODY, "info") is False
        assert absent.send("title", BODY, "info") is False
        assert time.monotonic() - started < 5


def test_channels_have_names_that_hold_nothing_secret(connecting: Any) -> None:
    names = [
        channel.name
        for channel in connecting(
            "mailtos://user:secret@mail.example.org?to=ops@example.org",
            "jsons://example.org/secret",
            "jsons://example.net/secret",
        )
    ]

    assert names == [f"{CONNECTION}/mailtos", f"{CONNECTION}/jsons", f"{CONNECTION}/jsons-2"]


def test_config_may_be_one_entry_or_a_text_as_airflows_form_keeps_it(set_connection: SetConnection) -> None:
    entry = {"path": "jsons://example.org/secret"}
    for config in (entry, [entry], json.dumps(entry), json.dumps([entry])):
        set_connection(CONNECTION, conn_type="apprise", extra=json.dumps({"config": config}))
        assert [channel.name for channel in open_channels(CONNECTION)] == [f"{CONNECTION}/jsons"]


def test_no_connection_is_no_channel() -> None:
    assert open_channels("there_is_none") == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{}", "entry 1 of its config: it must have a path"),
        ('{"path": 7}', "entry 1 of its config: it must have a path"),
        ('[{"path": "jsons://example.org"}, "hushhush"]', "entry 2 of its config: it must have a path"),
        ('{"path": "nosuchservice://hushhush"}', "entry 1 of its config: its path is not an address"),
        ('{"path": "slack://hushhush"}', "entry 1 of its config: its path is not an address"),
        ('{"path": "json', "needs a config"),
        (None, "needs a config"),
    ],
)
def test_config_that_cannot_be_read_is_named_without_its_content(
    set_connection: SetConnection, caplog: pytest.LogCaptureFixture, config: str | None, said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    set_connection(CONNECTION, conn_type="apprise", extra=json.dumps({"config": config} if config else {}))

    with pytest.raises(UnusableChannel, match=said) as caught:
        open_channels(CONNECTION)

    assert "hushhush" not in str(caught.value) + caplog.text


def test_connection_of_another_type_is_refused(set_connection: SetConnection) -> None:
    set_connection(CONNECTION, conn_type="http", host="example.org")

    with pytest.raises(UnusableChannel, match="must be of type apprise"):
        open_channels(CONNECTION)
