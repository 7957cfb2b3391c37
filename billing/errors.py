"""Anticipated failures of billing, one class each."""

from core.errors import AppError, Category


class InvalidAmountError(AppError):
    """An amount, price or rate that is not a usable number."""

    code = "invalid_value"
    category = Category.INVALID_REQUEST


class UnknownCurrencyError(AppError):
    """A currency code outside ISO 4217."""

    code = "invalid_value"
    category = Category.INVALID_REQUEST


class InsufficientBalanceError(AppError):
    """The wallet does not cover the amount; nothing was written."""

    code = "insufficient_balance"
    category = Category.BILLING


class BudgetExceededError(AppError):
    """A monthly budget of the key or the organization does not cover the amount."""

    code = "budget_exceeded"
    category = Category.BILLING


class ModelNotPricedError(AppError):
    """No price is active for the model at this size and quality."""

    code = "model_not_priced"
    category = Category.INVALID_REQUEST

    def __init__(self, message: str) -> None:
        super().__init__(message, param="model")


class FxRateStaleError(AppError):
    """No exchange rate, or none recent enough to charge by."""

    code = "fx_rate_stale"
    category = Category.UNAVAILABLE


class RateNotFoundError(AppError):
    """There is no such exchange rate, or none of the kind that was meant."""

    code = "rate_not_found"
    category = Category.NOT_FOUND


class RateDecidedError(AppError):
    """The rate does not wait for this decision: it was decided, or its time has passed."""

    code = "rate_decided"
    category = Category.CONFLICT


class HoldNotFoundError(AppError):
    """No hold has this reference."""

    code = "hold_not_found"
    category = Category.NOT_FOUND


class HoldClosedError(AppError):
    """The hold has already been captured or released."""

    code = "hold_closed"
    category = Category.CONFLICT


class EntryConflictError(AppError):
    """The idempotency key belongs to an entry that says something else."""

    code = "entry_conflict"
    category = Category.CONFLICT


class EntryNotFoundError(AppError):
    """No journal entry has this id."""

    code = "entry_not_found"
    category = Category.NOT_FOUND


class UnbalancedEntryError(AppError):
    """Lines that could not be booked: unbalanced, empty, or amounts that are not positive."""

    code = "unbalanced_entry"
    category = Category.INVALID_REQUEST


class PriceConflictError(AppError):
    """A published price was changed without a new source date."""

    code = "price_conflict"
    category = Category.CONFLICT


class CurrencyMismatchError(AppError):
    """An amount in another currency than the wallet's."""

    code = "currency_mismatch"
    category = Category.CONFLICT


class PaymentsUnavailableError(AppError):
    """Payments by card are not set up, or the payment provider does not answer."""

    code = "payments_unavailable"
    category = Category.UNAVAILABLE
    retryable = True


class CardRefusedError(AppError):
    """The card was declined, or its holder must confirm the payment themselves."""

    code = "card_refused"
    category = Category.BILLING


class ForgedEventError(AppError):
    """An event that the payment provider did not send."""

    code = "forged_event"
    category = Category.INVALID_REQUEST


class PaymentNotFoundError(AppError):
    """There is no such payment, card or unmatched payment."""

    code = "payment_not_found"
    category = Category.NOT_FOUND


class PaymentClosedError(AppError):
    """The payment was decided already."""

    code = "payment_closed"
    category = Category.CONFLICT


class TotalNotSeenError(AppError):
    """Tax comes on top, and who pays has not seen the total, or saw another one."""

    code = "total_not_seen"
    category = Category.CONFLICT


class GrantNotFoundError(AppError):
    """There is no such grant of promotional credit."""

    code = "grant_not_found"
    category = Category.NOT_FOUND


class GrantClosedError(AppError):
    """The grant was decided already."""

    code = "grant_closed"
    category = Category.CONFLICT


class ReferenceUsedError(AppError):
    """A transfer of this reference is recorded already."""

    code = "reference_used"
    category = Category.CONFLICT


class SelfApprovalError(AppError):
    """Who asks for something does not approve it."""

    code = "self_approval"
    category = Category.CONFLICT


class PeriodClosedError(AppError):
    """The month is closed: nothing takes effect in it any more."""

    code = "period_closed"
    category = Category.CONFLICT


class PeriodNotReadyError(AppError):
    """The month cannot be closed yet: something of it is unfinished, or a month before it open."""

    code = "period_not_ready"
    category = Category.CONFLICT


class AlreadyRefundedError(AppError):
    """An image of these is refunded, or asked for, already."""

    code = "refund_exists"
    category = Category.CONFLICT


class ReconciliationNotFoundError(AppError):
    """There is no such import of a provider's file, or no such difference."""

    code = "reconciliation_not_found"
    category = Category.NOT_FOUND


class DifferenceDecidedError(AppError):
    """The difference does not wait for this decision: it was decided already."""

    code = "difference_decided"
    category = Category.CONFLICT


class FileImportedError(AppError):
    """This very file was imported before."""

    code = "file_imported"
    category = Category.CONFLICT


class LedgerCorruptError(AppError):
    """Rows that belong together do not; the work was not done. Run `verify_ledger`."""

    code = "internal_error"
    category = Category.INTERNAL
