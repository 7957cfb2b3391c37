"""Values that cannot work are refused before anything reaches a cluster, with what is wrong."""

import re

import pytest
from helm_python import HelmError

from tests.architecture.tree import DOCS, table_rows
from tests.deploy.chart import MINIMAL, default_groups, draw, example_values, with_values

GROUP = default_groups()[0]
SECRET_WORDS = re.compile(
    r"SECRET|_API_KEY$|ACCESS_KEY|_TOKEN$|_KEYS$|(DATABASE|REDIS|BROKER|EMAIL)_URL"
)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("publicBaseUrl", "", "publicBaseUrl: set how clients reach"),
        ("publicBaseUrl", "images.example.com", "/publicBaseUrl"),
        ("publicBaseUrl", "https://example.com/images", "/publicBaseUrl"),
        ("web", {"replicaz": 3}, "replicaz"),
        ("web", {"replicas": 0}, "/web/replicas"),
        ("web", {"terminationGracePeriodSeconds": 330}, "at least 335"),
        ("web", {"autoscaling": {"minReplicas": 20}}, "web.autoscaling: minReplicas is above"),
        ("worker", {"terminationGracePeriodSeconds": 60}, "/worker/terminationGrace"),
        ("settings", {"log_level": "INFO"}, "log_level"),
        ("settings", {"SIGNED_URL_TTL_S": 60}, "/settings/SIGNED_URL_TTL_S"),
        ("settings", {"PORT": "80"}, "settings.PORT: the chart sets it itself"),
        ("settings", {"WEB_PROCESSES": "4"}, "see web.processes"),
        ("secrets", [], "/secrets"),
        ("secrets", [{"name": "a", "as": "files"}], "a is mounted as files, so say which"),
        ("secrets", [{"name": "a", "keys": {"X_KEY": "x"}}] * 2, "X_KEY is in two of them"),
        ("secrets", [{"name": "No_Name"}], "/secrets/0/name"),
        ("image", {"digest": "1234"}, "/image/digest"),
        ("networkPolicy", {"enabled": True}, "how the dispatcher reaches PostgreSQL"),
        ("sandbox", {"drawsForDemos": True}, "needs sandbox.enabled"),
        ("backup", {"enabled": True}, "name the PersistentVolumeClaim"),
        ("backup", {"schedule": "daily"}, "/backup/schedule"),
        ("metrics", {"port": 80}, "/metrics/port"),
    ],
)
def test_impossible_value_is_refused_by_name(path, value, message):
    with pytest.raises(HelmError, match=re.escape(message)):
        draw(with_values(path, value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queues": GROUP["queues"][1:]}, "no group has the queue generate.openai"),
        ({"queues": [*GROUP["queues"], "default"]}, "default is in both images and upkeep"),
        ({"queues": [*GROUP["queues"], "generate.dalle"]}, "generate.dalle, which does not exist"),
        ({"name": "upkeep"}, "two are called upkeep"),
        ({"name": "Images"}, "/worker/groups/0/name"),
        ({"poolSize": 6400.5}, "/worker/groups/0/poolSize"),
        ({"resources": {}}, "/worker/groups/0/resources"),
        ({"settings": {"FAL_API_KEY": "x"}}, "images: settings.FAL_API_KEY: is a secret"),
    ],
)
def test_impossible_worker_group_is_refused_by_name(changes, message):
    first, *others = default_groups()

    with pytest.raises(HelmError, match=re.escape(message)):
        draw(with_values("worker.groups", [{**first, **changes}, *others]))


def test_queue_age_of_a_group_without_providers_is_refused():
    groups = default_groups()
    scaling = {"enabled": True, "minReplicas": 1, "maxReplicas": 2, "cpuPercent": 80}
    groups[1]["autoscaling"] = {**scaling, "queueAgeSeconds": 3}

    with pytest.raises(HelmError, match="upkeep has no queue of a provider"):
        draw(with_values("worker.groups", groups))


def test_secrets_of_the_page_of_settings_are_refused_as_settings():
    names = {
        name
        for row in table_rows(DOCS / "settings.md")
        for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row[0])
        if SECRET_WORDS.search(name)
    }

    assert {"SECRET_KEY", "OPENAI_API_KEY", "DATABASE_URL", "STRIPE_WEBHOOK_SECRET"} <= names
    for name in sorted(names):
        with pytest.raises(HelmError, match=f"settings.{name}: is a secret"):
            draw(with_values("settings", {name: "x"}))


def test_other_settings_are_taken():
    settings = {"LOG_LEVEL": "DEBUG", "OIDC_CLIENT_ID": "lienzo", "FX_SPREAD": "0.01"}

    data = draw({**MINIMAL, "settings": settings}).of_kind("ConfigMap")[0]["data"]

    assert settings.items() <= data.items()


def test_setting_of_the_chart_under_the_sandbox_is_refused():
    values = example_values("sandbox")
    values["settings"]["SANDBOX_BASE_URL"] = "http://elsewhere:8009"

    with pytest.raises(HelmError, match=r"sets it itself with sandbox\.enabled"):
        draw(values)
