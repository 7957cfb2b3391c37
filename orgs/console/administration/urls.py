from django.urls import URLPattern, URLResolver, path

from orgs.console.administration import invitations, members

ORGANIZATION = "o/<uuid:organization_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{ORGANIZATION}/members", members.MembersView.as_view(), name="members"),
    path(f"{ORGANIZATION}/members/invite", invitations.InviteView.as_view(), name="invite_member"),
    path(
        f"{ORGANIZATION}/members/<uuid:user_id>",
        members.MemberPageView.as_view(),
        name="member",
    ),
    path(
        f"{ORGANIZATION}/members/<uuid:user_id>/remove",
        members.RemoveMemberView.as_view(),
        name="remove_member",
    ),
    path(
        f"{ORGANIZATION}/invitations/<uuid:invitation_id>/resend",
        invitations.ResendInvitationView.as_view(),
        name="resend_invitation",
    ),
    path(
        f"{ORGANIZATION}/invitations/<uuid:invitation_id>/revoke",
        invitations.RevokeInvitationView.as_view(),
        name="revoke_invitation",
    ),
    path(f"{ORGANIZATION}/leave", members.LeaveView.as_view(), name="leave_organization"),
    path("invitations/<str:token>", invitations.InvitationView.as_view(), name="invitation"),
    path(
        "invitations/<str:token>/accept",
        invitations.AcceptInvitationView.as_view(),
        name="accept_invitation",
    ),
]
