import json
from pathlib import Path

from embedded.scraping import metrics_file, write_targets


def test_targets_name_the_address_and_the_process(tmp_path: Path):
    (tmp_path / "run").mkdir()

    write_targets(tmp_path, "0.0.0.0", {"web": 9101, "worker": 9102})

    assert json.loads(metrics_file(tmp_path).read_text()) == [
        {"targets": ["127.0.0.1:9101"], "labels": {"process": "web"}},
        {"targets": ["127.0.0.1:9102"], "labels": {"process": "worker"}},
    ]


def test_addresses_of_ipv6_are_in_brackets(tmp_path: Path):
    (tmp_path / "run").mkdir()

    write_targets(tmp_path, "::", {"beat": 9103})

    assert json.loads(metrics_file(tmp_path).read_text())[0]["targets"] == ["[::1]:9103"]
