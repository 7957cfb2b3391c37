"""Settings that are made of several values, or have a default of their own."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.env import Environment, Mailer, parse_email_url

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("url", "mailer"),
    [
        ("smtp://mail.example.com", Mailer(SMTP, "mail.example.com", 25)),
        (
            "smtp://me%40example.com:p%2Fw@mail.example.com:2525",
            Mailer(SMTP, "mail.example.com", 2525, "me@example.com", "p/w"),
        ),
        ("smtp+tls://me:pw@host", Mailer(SMTP, "host", 587, "me", "pw", starttls=True)),
        ("smtps://me:pw@host", Mailer(SMTP, "host", 465, "me", "pw", tls=True)),
        ("console:", Mailer("django.core.mail.backends.console.EmailBackend")),
        (
            "file:///var/out%20box",
            Mailer("django.core.mail.backends.filebased.EmailBackend", folder="/var/out box"),
        ),
    ],
)
def test_email_url_says_how_mail_is_sent(url, mailer):
    assert parse_email_url(url) == mailer


@pytest.mark.parametrize("url", ["", "mail.example.com", "smtp://", "file:", "http://host"])
def test_email_url_that_says_nothing_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        parse_email_url(url)


@pytest.mark.parametrize(
    ("value", "words"), [("x", "whole number"), ("-1", "at least 0"), ("65536", "at most 65535")]
)
def test_number_that_is_no_port_is_refused(value, words):
    env = Environment({"METRICS_PORT": value})

    with pytest.raises(ImproperlyConfigured, match=f"METRICS_PORT=.*{words}"):
        env.integer("METRICS_PORT", 0, maximum=65535)


def test_value_beside_its_file_is_refused_and_an_empty_one_is_none(tmp_path):
    file = tmp_path / "secret"
    file.write_text("of the file\n")
    variables = {"SECRET_KEY": "", "SECRET_KEY_FILE": str(file)}

    assert Environment(variables).text("SECRET_KEY") == "of the file"
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY and SECRET_KEY_FILE"):
        Environment({**variables, "SECRET_KEY": "of the environment"}).text("SECRET_KEY")


def test_command_with_a_wrong_setting_says_so_in_one_line(tmp_path):
    ran = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        env={**os.environ, "LOG_FORMAT": "xml", "LIENZO_VAR": str(tmp_path)},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (1, "lienzo: LOG_FORMAT='xml': use one of line, json.\n")


def test_only_a_provider_that_has_one_is_limited():
    assert settings.PROVIDER_LIMITS == {"bfl": 24}


def test_targets_are_hosts_with_ports():
    variables = {"TARGETS": "127.0.0.1:9000, Hooks.Local:80,[::1]:8080"}

    assert Environment(variables).targets("TARGETS") == [
        ("127.0.0.1", 9000),
        ("hooks.local", 80),
        ("::1", 8080),
    ]


@pytest.mark.parametrize("text", ["host", "host:0", "host:x", "http://host:80", "a@host:80", ":80"])
def test_malformed_targets_are_refused(text):
    with pytest.raises(ImproperlyConfigured, match="TARGETS"):
        Environment({"TARGETS": text}).targets("TARGETS")
