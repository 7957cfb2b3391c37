"""Tables of billing."""

from billing.models.accounts import (
    DEBIT_KINDS,
    ORGANIZATION_CODES,
    Account,
    AccountCode,
    AccountKind,
    Balance,
)
from billing.models.alerts import BalanceAlert, BudgetAlert
from billing.models.budgets import Budget, BudgetPeriod
from billing.models.grants import Grant, GrantPart
from billing.models.holds import Hold, HoldStatus
from billing.models.invoices import Invoice, InvoiceSeries
from billing.models.journal import Direction, EntryKind, JournalEntry, Posting
from billing.models.payments import (
    AutoTopUp,
    Dispute,
    Payment,
    PaymentCustomer,
    PaymentEvent,
    PaymentRefund,
    SavedCard,
    UnmatchedPayment,
)
from billing.models.periods import PeriodClose, Revaluation
from billing.models.prices import Markup, MarkupScope, PriceKind, PriceUnit, PriceVersion
from billing.models.rates import CandidateStatus, FxRate, FxSpread, RateCandidate
from billing.models.reconciliation import (
    Payout,
    ProviderDifference,
    ProviderImport,
    ProviderLine,
    ProviderPayment,
    ProviderWaiver,
)
from billing.models.refunds import Adjustment, CreditNote, Decision, Refund, RefundedImage
from billing.models.rollups import AccountDay, PostingFact
from billing.models.statements import Statement, StatementDraft
from billing.models.taxes import TaxBasis, TaxProfile, TaxRate, TaxTreatment

__all__ = [
    "DEBIT_KINDS",
    "ORGANIZATION_CODES",
    "Account",
    "AccountCode",
    "AccountDay",
    "AccountKind",
    "Adjustment",
    "AutoTopUp",
    "Balance",
    "BalanceAlert",
    "Budget",
    "BudgetAlert",
    "BudgetPeriod",
    "CandidateStatus",
    "CreditNote",
    "Decision",
    "Direction",
    "Dispute",
    "EntryKind",
    "FxRate",
    "FxSpread",
    "Grant",
    "GrantPart",
    "Hold",
    "HoldStatus",
    "Invoice",
    "InvoiceSeries",
    "JournalEntry",
    "Markup",
    "MarkupScope",
    "Payment",
    "PaymentCustomer",
    "PaymentEvent",
    "PaymentRefund",
    "Payout",
    "PeriodClose",
    "Posting",
    "PostingFact",
    "PriceKind",
    "PriceUnit",
    "PriceVersion",
    "ProviderDifference",
    "ProviderImport",
    "ProviderLine",
    "ProviderPayment",
    "ProviderWaiver",
    "RateCandidate",
    "Refund",
    "RefundedImage",
    "Revaluation",
    "SavedCard",
    "Statement",
    "StatementDraft",
    "TaxBasis",
    "TaxProfile",
    "TaxRate",
    "TaxTreatment",
    "UnmatchedPayment",
]
