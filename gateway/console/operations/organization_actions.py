"""What operators do to an organization; each is one form, confirmed and logged."""

from decimal import Decimal
from typing import Any, ClassVar, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.selectors.markups import default_markup, organization_markup
from billing.services.markups import change_organization_markup
from core.clock import now
from core.errors import AppError
from gateway.catalog.registry import catalog
from gateway.console.operations.organization import OrganizationPageView
from orgs.console.access import origin_of
from orgs.console.administration.ownership import DeletionForm
from orgs.console.failures import add_failure
from orgs.console.operations.impersonation import enter
from orgs.console.widgets import Choice, described
from orgs.selectors.people import MemberView, list_members
from orgs.services.api_keys import MOST_PER_MINUTE
from orgs.services.impersonation import REASON_LENGTH, start_impersonation
from orgs.services.lifecycle import cancel_deletion, request_deletion, resume, suspend
from orgs.services.organization_settings import MOST_CONCURRENT, change_settings
from orgs.templatetags.console import role_name

PERCENT: Final = Decimal(100)
LOOK_ON, ACT = "look_on", "act"
SUSPENSION, LIMITS, MARKUP = "suspension", "limits", "markup"
DELETION, CANCELLATION, IMPERSONATION = "deletion", "cancellation", "impersonation"
NAMES: Final = (SUSPENSION, LIMITS, MARKUP, DELETION, CANCELLATION, IMPERSONATION)


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        help_text=gettext_lazy("The organization reads it in its audit log."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class LimitsForm(forms.Form):
    """How much the organization may ask for; empty is no limit."""

    requests_per_minute = forms.IntegerField(
        label=gettext_lazy("Requests a minute"),
        required=False,
        min_value=1,
        max_value=MOST_PER_MINUTE,
    )
    images_per_minute = forms.IntegerField(
        label=gettext_lazy("Images a minute"),
        required=False,
        min_value=1,
        max_value=MOST_PER_MINUTE,
    )
    max_concurrent = forms.IntegerField(
        label=gettext_lazy("At the same time"),
        required=False,
        min_value=1,
        max_value=MOST_CONCURRENT,
    )


class MarkupForm(forms.Form):
    """What is added to list prices, in percent."""

    percent = forms.DecimalField(
        label=gettext_lazy("Markup in percent"),
        required=False,
        min_value=Decimal("-99.9999"),
        max_value=Decimal(1000),
        decimal_places=4,
        help_text=gettext_lazy(
            "A discount is negative; empty is none of its own. Quotes and requests that exist"
            " keep theirs."
        ),
    )


class ImpersonationForm(ReasonForm):
    """In whose place, how, and why."""

    member = forms.ChoiceField(label=gettext_lazy("Member"))
    mode = forms.ChoiceField(
        label=gettext_lazy("How"),
        initial=LOOK_ON,
        choices=[
            (
                LOOK_ON,
                described(
                    gettext_lazy("Look on"),
                    gettext_lazy("See what the member sees. Nothing can be changed."),
                ),
            ),
            (
                ACT,
                described(
                    gettext_lazy("Act"),
                    gettext_lazy("Do what the member may do. The log names you both."),
                ),
            ),
        ],
        widget=Choice(label=gettext_lazy("How")),
    )
    field_order = ("member", "mode", "reason")

    def __init__(self, *args: Any, members: list[MemberView], **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        field = self.fields["member"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = [
            ("", _("Choose")),
            *((str(one.user_id), f"{one.email} ({role_name(one.role)})") for one in members),
        ]


class ActionsView(OrganizationPageView):
    """All forms on one page; each is sent to a path of its own.

    Attributes:
        name: Of the form that is sent to this path.
    """

    tab = "operations_organization_actions"
    name: ClassVar[str] = ""

    def get(self, request: HttpRequest, organization_id: UUID) -> HttpResponse:
        """Show the forms."""
        return self.page(self.load(organization_id))

    def page(self, context: dict[str, Any], sent: forms.Form | None = None) -> HttpResponse:
        """Draw them, one of them as it was sent. Three queries."""
        instant, one = now(), self.organization
        markup = organization_markup(organization_id=one.id, now=instant)
        drawn = {name: self.form(name, markup=markup) for name in NAMES}
        if sent is not None:
            drawn[self.name] = sent
        context |= {
            "forms": drawn,
            "markup": markup,
            "default_markup": default_markup(now=instant),
        }
        return render(self.request, "console/operations/actions.html", context)

    def form(
        self,
        name: str,
        *,
        data: QueryDict | None = None,
        markup: Decimal | None = None,
    ) -> forms.Form:
        """Return a form with what holds at present, or with what was sent."""
        one = self.organization
        ids: dict[str, Any] = {"data": data, "auto_id": f"{name}_%s"}
        if name == LIMITS:
            limits = {field: getattr(one, field) for field in LimitsForm.base_fields}
            return LimitsForm(**ids, initial=limits)
        if name == MARKUP:
            percent = None if markup is None else f"{(markup * PERCENT).normalize():f}"
            return MarkupForm(**ids, initial={"percent": percent})
        if name == IMPERSONATION:
            members = list_members(organization_id=one.id, without_staff=True)
            members = [member for member in members if member.user_id != self.user.id]
            return ImpersonationForm(**ids, members=members)
        kinds = {DELETION: DeletionForm, CANCELLATION: forms.Form}
        return kinds.get(name, ReasonForm)(**ids)


class ActionView(ActionsView):
    """One action: what its form says is done, or the page is shown again with what is wrong."""

    def get(self, request: HttpRequest, organization_id: UUID) -> HttpResponse:
        """Lead to the page with the forms."""
        return self.back(organization_id)

    def post(self, request: HttpRequest, organization_id: UUID) -> HttpResponse:
        """Do it."""
        context = self.load(organization_id)
        form = self.form(self.name, data=request.POST)
        if form.is_valid():
            try:
                done = self.act(form.cleaned_data)
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, done)
                return self.back(organization_id)
        return self.page(context, form)

    def act(self, asked: dict[str, Any]) -> str:
        """Do what was asked for; return what to tell."""
        raise NotImplementedError

    def back(self, organization_id: UUID) -> HttpResponse:
        """Lead to where it goes on."""
        return redirect("operations_organization_actions", organization_id)


class SuspendView(ActionView):
    """Suspends it, or changes the reason."""

    name = SUSPENSION

    def act(self, asked: dict[str, Any]) -> str:
        """Suspend."""
        suspend(
            organization_id=self.organization.id,
            reason=asked["reason"],
            actor=self.actor,
            now=now(),
        )
        return _("The organization is suspended.")


class ResumeView(ActionView):
    """Ends a suspension."""

    name = SUSPENSION

    def act(self, asked: dict[str, Any]) -> str:
        """Resume."""
        resume(organization_id=self.organization.id, reason=asked["reason"], actor=self.actor)
        return _("The suspension has ended.")


class ChangeLimitsView(ActionView):
    """Sets its limits, which hold within a second."""

    name = LIMITS

    def act(self, asked: dict[str, Any]) -> str:
        """Set them."""
        change_settings(
            organization_id=self.organization.id,
            changes={
                "requests_per_minute": asked["requests_per_minute"],
                "images_per_minute": asked["images_per_minute"],
                "max_concurrent": asked["max_concurrent"],
            },
            is_known_model=lambda model_id: catalog().find(model_id) is not None,
            actor=self.actor,
        )
        return _("The limits hold within a second.")


class ChangeMarkupView(ActionView):
    """Sets its markup."""

    name = MARKUP

    def act(self, asked: dict[str, Any]) -> str:
        """Set it."""
        change_organization_markup(
            organization_id=self.organization.id,
            rate=None if asked["percent"] is None else asked["percent"] / PERCENT,
            actor=self.actor,
            now=now(),
        )
        return _("The markup holds from now on.")


class RequestDeletionView(ActionView):
    """Asks for its deletion, by its name."""

    name = DELETION

    def act(self, asked: dict[str, Any]) -> str:
        """Ask for it."""
        request_deletion(
            organization_id=self.organization.id,
            name=asked["name"],
            actor=self.actor,
            now=now(),
        )
        return _("The organization is to be deleted. You may cancel.")


class CancelDeletionView(ActionView):
    """Keeps it after all."""

    name = CANCELLATION

    def act(self, asked: dict[str, Any]) -> str:
        """Cancel the deletion."""
        cancel_deletion(organization_id=self.organization.id, actor=self.actor)
        return _("The organization stays. Its API keys stay revoked.")


class ImpersonateView(ActionView):
    """Puts the operator in a member's place."""

    name = IMPERSONATION

    def act(self, asked: dict[str, Any]) -> str:
        """Begin."""
        impersonation = start_impersonation(
            organization_id=self.organization.id,
            user_id=UUID(asked["member"]),
            operator=self.user,
            reason=asked["reason"],
            is_read_only=asked["mode"] == LOOK_ON,
            origin=origin_of(self.request),
            now=now(),
        )
        enter(self.request, impersonation)
        return _("You see what %(email)s sees.") % {"email": impersonation.user.email}

    def back(self, organization_id: UUID) -> HttpResponse:
        """Lead to the organization's own home."""
        if self.request.method == "POST":
            return redirect("home", organization_id)
        return super().back(organization_id)
