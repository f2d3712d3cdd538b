"""Example customers and invoices, planted once into empty books by the same handlers that serve the API."""

from dataclasses import dataclass

from standin.books import Books, close_outbox, open_books
from standin.call import Call, Doc
from standin.clock import Clock
from standin.database import Database
from standin.handlers.registry import OPERATIONS
from standin.ids import Ids


@dataclass(frozen=True, slots=True)
class SeedInvoice:
    """One invoice of an example company.

    Attributes:
        company: The id's part after `cus_Example`.
        number: The digits of its number; the id is `in_Example<company><number>`.
        net: Minor units without tax.
        rate: A tax rate's id suffix (see `RATES`), or None.
        steps: What happens after the item is added: `finalize`, `pay`, `void`.
    """

    company: str
    number: str
    currency: str
    net: int
    item: str
    rate: str | None = None
    steps: tuple[str, ...] = ("finalize",)


COMPANIES = ("Clinics", "Logistics", "Studio", "Foods", "Press", "Tokyo", "Kuwait", "GmbH")
RATES = {"Sales8": ("Sales tax", 8, "US", "sales_tax"), "Vat19": ("VAT", 19, "DE", "vat")}

# INV-0042: 8 % of 11,666.67 is 933.33, so the gross is 12,600.00 to the cent.
DEMO = (
    SeedInvoice("Clinics", "0031", "usd", 125_000, "Platform, monthly"),
    SeedInvoice("Logistics", "0042", "usd", 1_166_667, "Tracking, quarterly", "Sales8"),
    SeedInvoice("Studio", "0050", "usd", 540_000, "Rendering hours", steps=("finalize", "pay")),
    SeedInvoice("Foods", "0061", "usd", 9_600_000, "Supply planning, yearly"),
    SeedInvoice("Press", "0070", "usd", 800_000, "Archive access, yearly"),
    SeedInvoice("Press", "0071", "usd", 120_000, "Archive access, additional seats", steps=()),
    SeedInvoice("Press", "0072", "usd", 95_000, "Archive access, sent in error", steps=("finalize", "void")),
    SeedInvoice("Tokyo", "0080", "jpy", 550_000, "Support, monthly"),
    SeedInvoice("Kuwait", "0085", "kwd", 1_250_500, "Hosting, quarterly"),
    SeedInvoice("GmbH", "0090", "eur", 1_000_000, "Licences, yearly", "Vat19"),
)
SEEDS = {"demo": DEMO}
STEPS = {"finalize": "PostInvoicesInvoiceFinalize", "pay": "PostInvoicesInvoicePay", "void": "PostInvoicesInvoiceVoid"}


def plant(name: str | None, database: Database, clock: Clock) -> None:
    """Plants a seed, all of it or nothing; books that already hold customers stay as they are.

    It appears in no ledger: nobody asked for it through the API.

    Raises:
        ValueError: There is no seed of this name.
    """
    if name is None:
        return
    if name not in SEEDS:
        raise ValueError(f"there is no seed '{name}'; choose one of: {', '.join(SEEDS)}")
    with database.transaction():
        books = open_books(database, clock, Ids())
        if books.objects.count("customer") == 0:
            _plant(books, SEEDS[name])


def _plant(books: Books, invoices: tuple[SeedInvoice, ...]) -> None:
    for suffix, (label, percentage, country, kind) in RATES.items():
        rate: Doc = {"display_name": label, "percentage": percentage, "country": country, "tax_type": kind}
        _do(books, "PostTaxRates", rate | {"inclusive": False}, aside=("txr", f"txr_{suffix}"))
    for company in COMPANIES:
        customer: Doc = {"name": f"Example {company}", "email": f"billing.{company.lower()}@example.com"}
        customer |= {"invoice_prefix": f"EX{company[:4].upper()}"}
        _do(books, "PostCustomers", customer, aside=("cus", f"cus_Example{company}"))
    for invoice in invoices:
        _plant_invoice(books, invoice)


def _plant_invoice(books: Books, seed: SeedInvoice) -> None:
    customer, invoice = f"cus_Example{seed.company}", f"in_Example{seed.company}{seed.number}"
    draft: Doc = {"customer": customer, "currency": seed.currency, "number": f"INV-{seed.number}"}
    draft |= {"collection_method": "send_invoice", "days_until_due": 30}
    draft |= {"default_tax_rates": [f"txr_{seed.rate}"]} if seed.rate else {}
    _do(books, "PostInvoices", draft, aside=("in", invoice))
    item: Doc = {"customer": customer, "invoice": invoice, "amount": seed.net, "currency": seed.currency}
    item |= {"description": seed.item}
    _do(books, "PostInvoiceitems", item, aside=("il", f"il_Example{seed.company}{seed.number}"))
    for step in seed.steps:
        params = {"payment_method": "pm_card_visa"} if step == "pay" else {}
        _do(books, STEPS[step], params, path={"invoice": invoice})


def _do(
    books: Books,
    operation: str,
    params: Doc,
    *,
    aside: tuple[str, str] | None = None,
    path: dict[str, str] | None = None,
) -> None:
    if aside:
        books.ids.set_aside(*aside)
    call = Call("POST", "", {}, b"", b"", "req_seed", operation=operation, path_params=path or {}, params=params)
    OPERATIONS[operation](books, call)
    close_outbox(books, call)
