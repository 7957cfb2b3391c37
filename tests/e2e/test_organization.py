"""An organization is administered: a key, a colleague, and the log of it all."""

from playwright.sync_api import Page, expect

from core.clock import now
from orgs.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.e2e.test_accounts import mailed_link
from tests.stack import Stack


def sign_out(page: Page) -> None:
    page.locator("summary.account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login/")


def failed_delivery(member: Member) -> WebhookDelivery:
    """Write what a receiver refused, of a webhook that is switched off: nothing is sent."""
    endpoint = WebhookEndpoint.objects.create(
        organization=member.organization,
        url="https://example.com/lienzo",
        events=["generation.succeeded"],
        secret=b"",
        is_enabled=False,
        disabled_reason="request",
    )
    event = OutboxEvent.objects.create(
        organization=member.organization,
        type="webhook.test",
        data={"object": "webhook"},
        created_at=now(),
    )
    return WebhookDelivery.objects.create(
        event=event,
        endpoint=endpoint,
        status="failed",
        tries=[{"at": now().isoformat(), "status": 503, "error": None, "duration_ms": 120}],
        give_up_at=now(),
        created_at=now(),
    )


def test_key_is_created_rotated_and_revoked(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in(page, stack, member.email)
    page.goto(f"{member.home}/keys")
    shoot(page, "api-keys-none")
    page.get_by_role("link", name="New API key").click()
    check_accessible(page)
    shoot(page, "api-key-new")
    page.get_by_role("button", name="Create the key").click()
    expect(page.locator("#id_name_error")).to_be_visible()
    page.get_by_label("Name").fill("Web shop")
    page.get_by_label("Budget a month").fill("500")
    page.get_by_label("fal/flux-1.1-pro", exact=True).check()
    page.get_by_role("button", name="Create the key").click()
    expect_page(page, "The secret of “Web shop”")
    secret = page.locator("[data-secret]").input_value()
    check_accessible(page)
    shoot(page, "api-key-secret")

    page.get_by_role("link", name="I have kept the key").click()
    assert secret not in page.content()
    page.get_by_role("link", name="Web shop").click()
    expect(page.locator("#drawer")).to_contain_text("fal/flux-1.1-pro")
    page.get_by_role("link", name="Rotate").click()
    shoot(page, "api-key-rotate")
    page.get_by_role("button", name="Rotate the key").click()
    expect_page(page, "The new secret of “Web shop”")
    page.goto(f"{member.home}/keys")
    check_accessible(page)
    shoot(page, "api-keys")
    page.get_by_role("link", name="Web shop").click()
    check_accessible(page)
    shoot(page, "api-key")
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("#confirm")).to_contain_text("Revoke the key “Web shop”?")
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.locator("#toasts")).to_contain_text("revoked")


def test_colleague_is_invited_and_joins_and_the_log_has_it_all(
    browser_page: Page, stack: Stack
) -> None:
    page, member, guest = browser_page, Member(stack), Member(stack)
    sign_in(page, stack, member.email)
    page.goto(f"{member.home}/members/invite")
    check_accessible(page)
    shoot(page, "invite")
    page.get_by_label("E-mail address").fill(guest.email)
    page.get_by_role("button", name="Send the invitation").click()
    expect_page(page, "Members")
    page.locator("details.permissions summary").press("Enter")
    check_accessible(page)
    shoot(page, "members")

    page.goto(mailed_link(stack, guest.email, "/invitations/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Join Talleres")
    shoot(page, "invitation-for-another")
    page.get_by_role("button", name="Sign out").last.click()
    expect(page.locator("summary.account")).to_have_count(0)
    sign_in(page, stack, guest.email)
    page.goto(mailed_link(stack, guest.email, "/invitations/"))
    check_accessible(page)
    shoot(page, "invitation")
    page.get_by_role("button", name="Accept the invitation").press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Welcome to Talleres")
    assert page.url == member.home

    page.goto(f"{member.home}/leave")
    check_accessible(page)
    shoot(page, "leave")
    page.get_by_role("button", name="Leave the organization").click()
    page.locator("#confirm").get_by_role("button", name="Leave").click()
    expect(page.locator("#toasts")).to_contain_text("You have left Talleres")

    sign_out(page)
    sign_in(page, stack, member.email)
    page.goto(f"{member.home}/audit-log")
    check_accessible(page)
    shoot(page, "audit-log")
    page.locator("tbody").get_by_role("link", name="Member left").click()
    expect(page.locator("#drawer")).to_contain_text(guest.email)
    check_accessible(page)
    shoot(page, "audit-event")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#drawer h2")).to_have_text("Invitation accepted")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_have_count(0)


def test_settings_and_webhooks_are_accessible(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in(page, stack, member.email)
    for path, name in (
        ("settings", "settings"),
        ("settings/images", "settings-images"),
        ("settings/models", "settings-models"),
        ("settings/limits", "settings-limits"),
        ("settings/billing-profile", "settings-billing"),
        ("settings/ownership", "settings-ownership"),
        ("webhooks", "webhooks-none"),
        ("webhooks/new", "webhook-new"),
    ):
        page.goto(f"{member.home}/{path}")
        check_accessible(page)
        shoot(page, name)

    with stack.database():
        delivery = failed_delivery(member)
    page.goto(f"{member.home}/webhooks")
    shoot(page, "webhooks")
    check_accessible(page)
    page.goto(f"{member.home}/webhooks/{delivery.endpoint_id}")
    check_accessible(page)
    shoot(page, "webhook")
    page.get_by_role("link", name="webhook.test").click()
    expect(page.locator("#drawer")).to_contain_text("HTTP 503")
    check_accessible(page)
    shoot(page, "webhook-delivery")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm").get_by_role("button", name="Delete the webhook").click()
    expect_page(page, "Webhooks")
    expect(page.locator(".empty-state")).to_contain_text("No webhooks yet")
