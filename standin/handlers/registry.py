"""Every operation by its id in the schema."""

from standin.handlers import (
    balance,
    catalogue,
    credit_notes,
    customers,
    events,
    invoice_items,
    invoice_steps,
    invoices,
    payments,
)
from standin.handlers.operation import Operation

OPERATIONS: dict[str, Operation] = {
    **balance.OPERATIONS,
    **catalogue.OPERATIONS,
    **credit_notes.OPERATIONS,
    **customers.OPERATIONS,
    **events.OPERATIONS,
    **invoice_items.OPERATIONS,
    **invoice_steps.OPERATIONS,
    **invoices.OPERATIONS,
    **payments.OPERATIONS,
}
