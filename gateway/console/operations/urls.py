from django.urls import URLPattern, URLResolver, path

from gateway.console.operations import organization, organization_actions, organizations

ORGANIZATIONS = "operations/organizations"
ORGANIZATION = f"{ORGANIZATIONS}/<uuid:organization_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path(ORGANIZATIONS, organizations.OrganizationsView.as_view(), name="operations_organizations"),
    path(ORGANIZATION, organization.OverviewView.as_view(), name="operations_organization"),
    path(
        f"{ORGANIZATION}/people",
        organization.PeopleView.as_view(),
        name="operations_organization_people",
    ),
    path(
        f"{ORGANIZATION}/actions",
        organization_actions.ActionsView.as_view(),
        name="operations_organization_actions",
    ),
    path(
        f"{ORGANIZATION}/suspend",
        organization_actions.SuspendView.as_view(),
        name="operations_suspend",
    ),
    path(
        f"{ORGANIZATION}/resume",
        organization_actions.ResumeView.as_view(),
        name="operations_resume",
    ),
    path(
        f"{ORGANIZATION}/limits",
        organization_actions.ChangeLimitsView.as_view(),
        name="operations_limits",
    ),
    path(
        f"{ORGANIZATION}/markup",
        organization_actions.ChangeMarkupView.as_view(),
        name="operations_markup",
    ),
    path(
        f"{ORGANIZATION}/deletion",
        organization_actions.RequestDeletionView.as_view(),
        name="operations_delete",
    ),
    path(
        f"{ORGANIZATION}/deletion/cancel",
        organization_actions.CancelDeletionView.as_view(),
        name="operations_cancel_deletion",
    ),
    path(
        f"{ORGANIZATION}/impersonation",
        organization_actions.ImpersonateView.as_view(),
        name="operations_impersonate",
    ),
    path(
        "operations/requests/<uuid:generation_id>",
        organization.StaffRequestView.as_view(),
        name="operations_request",
    ),
]
