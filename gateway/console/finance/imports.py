"""Importing a price list: upload, look at what it would do, confirm exactly that."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.console.finance.topups import FinanceView
from core.clock import now
from core.errors import AppError
from core.ids import new_uuid
from gateway.console.finance.fields import LOSSES_SHOWN, losses_of
from gateway.services.pricebook.effects import last_month, sheet_effects
from gateway.services.pricebook.imports import PriceImport, import_prices, sheet_losses
from gateway.services.pricebook.sheets import COLUMNS, REQUIRED, Fault, Sheet, read_sheet
from orgs.console.failures import add_failure

MOST_BYTES: Final = 512 * 1024
ROWS_SHOWN: Final = 200
ERRORS_SHOWN: Final = 100
VALID_FOR: Final = timedelta(hours=1)
SALT: Final = "gateway.price_import"
EXAMPLE: Final = """\
model,size,quality,currency,amount,active_from,source
dall-e-3,1024x1024,standard,EUR,0.040,2027-01-01T00:00Z,Price list 2027
dall-e-3,1024x1024,hd,EUR,0.080,2027-01-01T00:00Z,Price list 2027
"""
FAULTS: Final[Mapping[Fault, Promise]] = {
    Fault.MISSING_COLUMN: gettext_lazy("This column is missing."),
    Fault.UNKNOWN_COLUMN: gettext_lazy("There is no such column, or it is there twice."),
    Fault.EMPTY: gettext_lazy("The file has no prices."),
    Fault.TOO_LONG: gettext_lazy("The file has more prices than can be imported at once."),
    Fault.CELLS: gettext_lazy("The line has more fields than the heading."),
    Fault.MODEL: gettext_lazy("There is no such model."),
    Fault.SIZE: gettext_lazy("The model has no such size."),
    Fault.QUALITY: gettext_lazy("The model has no such quality."),
    Fault.CURRENCY: gettext_lazy("This is no ISO 4217 currency."),
    Fault.NUMBER: gettext_lazy("Write digits with a point and at most ten decimals, like 0.042."),
    Fault.ZERO: gettext_lazy("A list price is more than zero."),
    Fault.UNIT: gettext_lazy("A list price is per image or megapixel."),
    Fault.BASE: gettext_lazy("A price per megapixel has a base amount, others have none."),
    Fault.TIME: gettext_lazy("Write a time like 2026-12-01T00:00Z."),
    Fault.PAST: gettext_lazy("A price cannot begin in the past."),
    Fault.SOURCE: gettext_lazy("A price needs a source of at most 255 letters."),
    Fault.TWICE: gettext_lazy("The same price is in the file twice."),
}


class UploadForm(forms.Form):
    """A file."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"})
    )

    def clean_file(self) -> str:
        """Return the text.

        Raises:
            ValidationError: It is too large, or no text.
        """
        file = self.cleaned_data["file"]
        assert isinstance(file, UploadedFile)  # noqa: S101 - of a file field
        if file.size is None or file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 512 KB."))
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError(_("The file is no text in UTF-8.")) from error
        return text


class ConfirmForm(forms.Form):
    """What was looked at, signed, and why it is to be imported."""

    file = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=500, help_text=gettext_lazy("It is logged.")
    )
    allow_loss = forms.BooleanField(
        label=gettext_lazy("Set it though an image may cost more than it sells for"),
        required=False,
    )


class ImportPricesView(FinanceView):
    """Takes a file, and shows what is wrong with it or what it would do."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        return self.page(UploadForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Read the file; nothing is written."""
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.page(form)
        text = form.cleaned_data["file"]
        sheet = read_sheet(text, now=now())
        if sheet.errors:
            return self.page(UploadForm(), sheet)
        signed = signing.dumps(
            {"id": str(new_uuid()), "text": text, "user": str(self.user.id)},
            salt=SALT,
            compress=True,
        )
        return draw_preview(request, ConfirmForm(initial={"file": signed}), text, sheet)

    def page(self, form: UploadForm, sheet: Sheet | None = None) -> HttpResponse:
        """Draw the form with what was wrong."""
        errors = () if sheet is None else sheet.errors
        context = {
            "form": form,
            "errors": [(one, FAULTS[one.fault]) for one in errors[:ERRORS_SHOWN]],
            "more": max(len(errors) - ERRORS_SHOWN, 0),
            "example": [("CSV", EXAMPLE)],
            "columns": [(name, name in REQUIRED) for name in COLUMNS],
        }
        return render(self.request, "console/finance/price_import.html", context)


class ConfirmImportView(FinanceView):
    """Imports what was looked at."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Lead back to where a file is uploaded."""
        return redirect("finance_import_prices")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Import it, or say why not."""
        form = ConfirmForm(request.POST)
        found = self._signed(request.POST.get("file", ""))
        if found is None:
            messages.error(request, _("The preview is too old. Upload the file again."))
            return redirect("finance_import_prices")
        losses: Sequence[str] = ()
        if form.is_valid():
            file = PriceImport(UUID(found["id"]), found["text"], form.cleaned_data["reason"])
            try:
                count = import_prices(
                    file=file,
                    allow_loss=form.cleaned_data["allow_loss"],
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                losses = losses_of(error)
                if losses:
                    form.add_error("allow_loss", _("At these prices images would sell at a loss."))
                elif error.param == "file":
                    messages.error(request, _("The file cannot be imported, or was already."))
                    return redirect("finance_import_prices")
                else:
                    add_failure(form, error)
            else:
                words = ngettext("%(n)s price imported.", "%(n)s prices imported.", count)
                messages.success(request, words % {"n": count})
                return redirect("finance_prices")
        sheet = read_sheet(found["text"], now=now())
        return draw_preview(request, form, found["text"], sheet)

    def _signed(self, value: str) -> dict[str, Any] | None:
        """Return the file that this person looked at within the hour."""
        try:
            found: dict[str, Any] = signing.loads(value, salt=SALT, max_age=VALID_FOR)
        except signing.BadSignature:
            return None
        return found if found["user"] == str(self.user.id) else None


def draw_preview(request: HttpRequest, form: ConfirmForm, text: str, sheet: Sheet) -> HttpResponse:
    """Draw what a file would do."""
    moment = now()
    since, _until = last_month(moment)
    losses = sheet_losses(sheet, now=moment)
    context = {
        "form": form,
        "prices": sheet.prices[:ROWS_SHOWN],
        "count": len(sheet.prices),
        "more": max(len(sheet.prices) - ROWS_SHOWN, 0),
        "digest": PriceImport(new_uuid(), text, "").digest,
        "month": since,
        "effects": sheet_effects(sheet, now=moment),
        "losses": losses[:LOSSES_SHOWN],
        "more_losses": max(len(losses) - LOSSES_SHOWN, 0),
    }
    return render(request, "console/finance/price_preview.html", context)
