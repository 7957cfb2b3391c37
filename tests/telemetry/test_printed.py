"""What the processes of the product would print past their log, had they nothing in its place."""

import json
import os
import subprocess
from pathlib import Path

from embedded.children import Spec
from embedded.ports import listen
from embedded.processes import process_table

# In place of the product's settings, whose import begins as this does.
SETTINGS = """
import logging, sys, warnings
import config

class Odd:
    def __del__(self):
        raise KeyError("odd end")

warnings.warn("an odd\\nwarning")
print("odd words", file=sys.stderr)
logging.getLogger("odd").error("odd number %d", "hush")
Odd()
raise RuntimeError("odd settings")
"""


def start(spec: Spec, folder: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join((str(folder), str(spec.cwd)))
    return subprocess.Popen(
        spec.argv,
        env={**spec.env, "DJANGO_SETTINGS_MODULE": "odd_settings", "PYTHONPATH": path},
        cwd=spec.cwd,
        pass_fds=spec.pass_fds,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_all_that_a_process_says_is_json_even_what_is_printed_and_what_ends_it(tmp_path):
    (tmp_path / "odd_settings.py").write_text(SETTINGS)
    environment = {
        **os.environ,
        "LIENZO_VAR": str(tmp_path),
        "LOG_FORMAT": "json",
        "WEB_PROCESSES": "1",
        "WORKER_POOL_SIZE": "5",
    }
    with listen("127.0.0.1", 0) as socket:
        table = process_table(environment, web_socket=socket.fileno(), sandbox_port=None)
        running = {spec.name: start(spec, tmp_path) for spec, _ in table}
        said = {name: process.communicate(timeout=200)[0] for name, process in running.items()}

    assert sorted(said) == ["beat", "dispatcher", "sweeper", "web", "worker"]
    for name, text in said.items():
        lines = [json.loads(line) for line in text.splitlines()]
        assert {line["process"] for line in lines} == {name}
        messages = "\n".join(line["message"] for line in lines)
        for words in ("an odd\nwarning", "odd words", "odd number %d [arguments do not fit]"):
            assert words in messages, name
        broken = [line["exception"]["type"] for line in lines if "exception" in line]
        assert {"KeyError", "RuntimeError"} <= set(broken), name
        assert "hush" not in text, name
        assert running[name].returncode != 0
