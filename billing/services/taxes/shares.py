"""What tax is given back with a part of a payment."""

from django.db.models import Q, Sum

from billing.models import Dispute, Payment, PaymentRefund
from billing.money import round_half_up_minor, to_decimal


def share_of_tax(payment: Payment, micros: int) -> int:
    """Return the tax in a part of a payment that is about to be taken back, in proportion.

    It is what is missing to the share of all that has been taken back by then, rounded half up to
    the minor unit: so the shares of all parts sum up to the tax of the payment. The caller holds
    the payment's lock.
    """
    refunds = PaymentRefund.objects.filter(payment=payment, status=PaymentRefund.Status.BOOKED)
    disputes = Dispute.objects.filter(~Q(status=Dispute.Status.WON), payment=payment)
    amount = tax = 0
    for rows in (refunds, disputes):
        sums = rows.aggregate(amount=Sum("amount_micros"), tax=Sum("tax_micros"))
        amount += int(sums["amount"] or 0)
        tax += int(sums["tax"] or 0)
    back = min(amount + micros, payment.gross_micros)
    due = payment.tax_micros
    if back < payment.gross_micros:
        exact = to_decimal(payment.tax_micros * back // payment.gross_micros)
        due = round_half_up_minor(exact, payment.currency)
    return min(max(due - tax, 0), micros)
