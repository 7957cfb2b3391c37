from pathlib import Path

import pytest
from celery import Celery

from config.metrics.beat import WatchedScheduler, ticks
from embedded.ports import choose_ports


@pytest.fixture(autouse=True)
def fresh_ticks():
    ticks.cache_clear()
    yield
    ticks.cache_clear()


def scheduler_on(broker: str, folder: Path) -> WatchedScheduler:
    app = Celery(broker=broker, set_as_current=False)
    app.conf.update(
        task_publish_retry=False,
        beat_schedule={"each second": {"task": "some", "schedule": 1.0}},
        broker_transport_options={"socket_connect_timeout": 1, "retry_on_timeout": False},
    )
    return WatchedScheduler(app, schedule_filename=str(folder / "schedule"))


def send(scheduler: WatchedScheduler) -> None:
    app = scheduler.app
    entry = scheduler.schedule["each second"]
    scheduler.apply_entry(entry, producer=app.amqp.Producer(app.connection(), auto_declare=False))


def test_beat_is_not_ready_while_the_broker_takes_no_message(tmp_path: Path):
    (tmp_path / "away").mkdir()
    away = scheduler_on(f"redis://127.0.0.1:{choose_ports(1)[0]}/0", tmp_path / "away")
    working = scheduler_on("memory://", tmp_path)

    send(away)
    assert ticks().fault_of_service() == "the broker takes no message"
    assert ticks().fault_of_life() == ""
    send(working)
    assert ticks().fault_of_service() == ""


def test_each_look_at_what_is_due_is_a_sign_of_life(tmp_path: Path):
    scheduler = scheduler_on("memory://", tmp_path)
    ticks().last._beaten_s -= 500.0
    assert ticks().fault_of_life() == "the last look at what is due was 500 s ago"

    scheduler.tick()

    assert ticks().fault_of_life() == ""
