import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import gevent
import pytest

from config.logs.settings import process_kind
from core.telemetry import context
from core.telemetry.formats import FIELDS, JsonFormatter, LineFormatter
from core.telemetry.redaction import Redactor
from embedded.processes import process_table

ID = uuid4()
PROMPT = "gateway.failed badly"


@pytest.fixture(autouse=True)
def _nothing_before() -> None:
    context.begin()


def format_json(message: str, *args: object, **more: object) -> dict[str, Any]:
    formatter = JsonFormatter(process="worker", redact=Redactor())
    text = formatter.format(make_record(message, *args, **more))
    assert "\n" not in text
    return dict(json.loads(text))


def format_line(message: str, *args: object) -> str:
    return LineFormatter(process="worker", redact=Redactor()).format(make_record(message, *args))


def make_record(message: str, *args: object, **more: object) -> logging.LogRecord:
    record = logging.LogRecord("gateway.x", logging.INFO, "x.py", 1, message, args, None)
    vars(record).update(more)
    return record


def test_json_has_the_event_the_process_and_what_is_worked_on() -> None:
    context.begin(request_id="req_1", generation_id=ID)
    line = format_json("a.failed n=%d", 3, **{FIELDS: {"ms": 1.5}})

    assert datetime.fromisoformat(str(line.pop("time"))).utcoffset() is not None
    assert line.pop("pid") == make_record("").process
    assert line == {
        "level": "INFO",
        "logger": "gateway.x",
        "message": "a.failed n=3",
        "event": "a.failed",
        "process": "worker",
        "request_id": "req_1",
        "generation_id": str(ID),
        "ms": 1.5,
    }


def test_an_exception_is_told_with_its_stack_and_without_secrets() -> None:
    context.conceal("hush hush")
    with pytest.raises(ValueError, match="hush") as caught:
        int("hush hush lz_sk_live_abcdef")
    error = caught.value

    line = format_json("a.crashed", exc_info=(type(error), error, error.__traceback__))

    told = line["exception"]
    assert told["type"] == "ValueError"
    assert told["message"] == "invalid literal for int() with base 10: '[prompt] [key]'"
    assert "test_formats.py" in told["stack"]
    assert [text for text in ("hush", "lz_sk") if text in json.dumps(line)] == []


def test_the_name_of_an_event_stays_where_it_is_a_prompt() -> None:
    context.conceal(PROMPT)

    line = format_json("gateway.failed error=%s", PROMPT)

    assert (line["event"], line["message"]) == ("gateway.failed", "gateway.failed error=[prompt]")


def test_a_message_cannot_make_up_a_line() -> None:
    told = format_line("a.failed error=%s", "x\r\n2026-01-01 ERROR 1 b all is lost\x1b[2J\u2028y")

    assert told.isprintable()
    assert "error=x\\r\\n2026-01-01" in told


def test_half_a_character_is_written() -> None:
    assert "\\ud800" in str(format_json("a.failed error=%s", "\ud800")["message"])


def test_a_path_is_told_by_its_route() -> None:
    class Request:
        path = "/invitations/hush"
        resolver_match = None

    told = format_json("Internal Server Error: %s", Request.path, request=Request())

    assert told["message"] == "Internal Server Error: [path]"


def test_another_greenlet_goes_on_only_with_what_is_carried() -> None:
    context.begin(generation_id=ID)
    found: list[object] = []

    def look() -> None:
        found.append(context.fields().get("generation_id"))

    works: list[Callable[[], None]] = [look, context.carry(look)]
    gevent.joinall([gevent.spawn(work) for work in works])

    assert found == [None, ID]


def test_work_leaves_nothing_behind() -> None:
    context.begin(request_id="req_1")
    with context.working_on(provider="fal"):
        context.conceal("hush hush")

    assert dict(context.fields()) == {"request_id": "req_1"}
    assert context.prompt() is None


def test_each_process_knows_what_it_is(tmp_path) -> None:
    environment = {"LIENZO_VAR": str(tmp_path), "WORKER_POOL_SIZE": "1"}
    table = process_table(environment, web_socket=3, sandbox_port=None)

    assert {spec.name: process_kind(spec.argv) for spec, _ in table} == {
        name: name for name in ("web", "worker", "sweeper", "dispatcher", "beat")
    }
    assert process_kind(["python", "manage.py", "migrate"]) == "command"


def test_a_stack_that_is_cut_tells_no_part_of_a_long_prompt() -> None:
    prompt = f"A wish that nobody may read: {'of gold, ' * 2000}"
    context.conceal(prompt)
    error = ValueError(f"refused: {prompt}")
    line = format_json("worker.run_crashed", exc_info=(ValueError, error, None))

    assert "of gold" not in json.dumps(line)
    assert line["exception"]["stack"].endswith("refused: [prompt]")
