"""What the operators' pages of the platform have in common."""

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from core.errors import AppError, Category
from orgs.console.access import StaffView
from orgs.selectors import User

OPERATORS: Final = frozenset({User.StaffRole.OPERATOR.value})


class OperatorView(StaffView):
    """A page for operators, whose services may refuse: what is not there is 404."""

    staff_roles = OPERATORS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Serve, and translate what no form or toast shows.

        Raises:
            Http404: There is no such thing.
            PermissionDenied: It is not this person's to do.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        except AppError as error:
            if error.category == Category.NOT_FOUND:
                raise Http404 from error
            if error.category == Category.PERMISSION:
                raise PermissionDenied from error
            raise
