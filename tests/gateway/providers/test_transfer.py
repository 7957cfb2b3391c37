import time

import pytest
from gevent.lock import BoundedSemaphore

from gateway.providers import registry
from gateway.providers.transfer import LARGE_TRANSFERS, TransferPermit, transfer_semaphore


def test_permit_counts_once_however_often_it_is_taken_and_given_back():
    semaphore = BoundedSemaphore(2)
    permit = TransferPermit(semaphore)

    assert permit.acquire()
    assert permit.acquire()
    assert semaphore.counter == 1
    permit.release()
    permit.release()

    assert semaphore.counter == 2
    assert not permit.held


def test_permit_gives_up_after_its_timeout():
    semaphore = BoundedSemaphore(1)
    TransferPermit(semaphore).acquire()
    started = time.monotonic()

    assert TransferPermit(semaphore).acquire(0.1) is False
    assert 0.05 < time.monotonic() - started < 10


def test_permit_is_released_at_the_end_of_its_block():
    semaphore = BoundedSemaphore(1)

    with TransferPermit(semaphore) as permit:
        permit.acquire()

    assert semaphore.counter == 1


def test_few_large_transfers_at_a_time():
    first, *others = (TransferPermit(BoundedSemaphore(1)) for _ in range(LARGE_TRANSFERS))
    late = TransferPermit(BoundedSemaphore(1))

    for permit in (first, first, *others):
        assert permit.acquire_large(0.01)
    assert not late.acquire_large(0.01)
    first.release()
    assert late.acquire_large(0.01)
    for permit in (late, *others):
        permit.release()


def test_transfer_semaphore_is_one_per_limit():
    assert transfer_semaphore(3) is transfer_semaphore(3)
    assert transfer_semaphore(3).counter == 3


def test_registry_knows_its_providers():
    assert {"openai", "azure_openai", "xai", "fal"} <= set(registry.PROVIDERS)
    assert registry.adapter_for("fal") is registry.adapter_for("fal")
    assert [registry.adapter_for(name).resumable for name in ("openai", "fal")] == [False, True]
    assert registry.default_base_url("openai") == "https://api.openai.com/v1"
    assert registry.default_base_url("fal") == "https://queue.fal.run"
    assert registry.default_base_url("azure_openai") == ""
    with pytest.raises(LookupError):
        registry.adapter_for("nobody")


@pytest.mark.parametrize(
    ("provider", "host", "official"),
    [
        ("openai", "eu.api.openai.com", True),
        ("openai", "api.openai.com.example.org", False),
        ("openai", None, False),
        ("azure_openai", "our-images.openai.azure.com", True),
        ("azure_openai", "openai.azure.com.example.org", False),
        ("azure_openai", "notopenai.azure.com", False),
        ("xai", "api.x.ai", True),
        ("xai", "eu-west-1.api.x.ai", True),
        ("xai", "evilapi.x.ai", False),
    ],
)
def test_host_is_official_by_name_or_by_its_domain(provider, host, official):
    assert registry.is_official(provider, host) is official
