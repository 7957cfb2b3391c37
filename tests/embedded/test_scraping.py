import json
from pathlib import Path

from embedded.children import Spec
from embedded.scraping import metrics_file, write_targets


def spec(name: str, host: str, port: int) -> Spec:
    env = {"METRICS_HOST": host, "METRICS_PORT": str(port)}
    return Spec(name=name, argv=(), env=env, cwd=Path())


def test_targets_name_the_address_the_process_and_its_host(tmp_path: Path):
    (tmp_path / "run").mkdir()

    write_targets(tmp_path, [spec("web", "0.0.0.0", 9101), spec("b-worker", "198.18.0.3", 9102)])

    assert json.loads(metrics_file(tmp_path).read_text()) == [
        {"targets": ["127.0.0.1:9101"], "labels": {"process": "web"}},
        {"targets": ["198.18.0.3:9102"], "labels": {"process": "worker", "host": "b"}},
    ]


def test_addresses_of_ipv6_are_in_brackets(tmp_path: Path):
    (tmp_path / "run").mkdir()

    write_targets(tmp_path, [spec("beat", "::", 9103)])

    assert json.loads(metrics_file(tmp_path).read_text())[0]["targets"] == ["[::1]:9103"]
