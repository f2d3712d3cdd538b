"""What a credit note comes to: its lines, net, tax and gross, from an amount or from lines."""

from dataclasses import dataclass

from standin.books import Books
from standin.call import Doc
from standin.errors import bad_param, missing, refused
from standin.handlers.invoice_sums import tax_entry, totals_by_rate
from standin.money import checked_amount, half_up, percent_of, proportion, shares, unit_price


@dataclass(frozen=True, slots=True)
class Sums:
    """The note's lines (net) and taxes (one entry a rate), in minor units."""

    lines: list[Doc]
    taxes: list[Doc]

    @property
    def net(self) -> int:
        """Without tax."""
        return sum(int(line["amount"]) for line in self.lines)

    @property
    def gross(self) -> int:
        """With tax: what the note takes off the invoice."""
        return self.net + sum(int(tax["amount"]) for tax in self.taxes)


def sums_of(books: Books, invoice: Doc, params: Doc) -> Sums:
    """The sums that the parameters ask for.

    Raises:
        ApiError: Neither amount nor lines, or both and they disagree, or a line that cannot be credited.
    """
    if "lines" not in params:
        if "amount" not in params:
            raise bad_param("amount", "One of amount or lines must be given.", "parameter_missing")
        amount = checked_amount(params["amount"], invoice["currency"], param="amount", lowest=1)
        return _by_amount(books, invoice, amount)
    sums = _by_lines(books, invoice, params["lines"])
    if params.get("amount", sums.gross) != sums.gross:
        raise bad_param("amount", f"The amount is {params['amount']}, but the lines with tax come to {sums.gross}.")
    return sums


def _by_amount(books: Books, invoice: Doc, gross: int) -> Sums:
    """The invoice's tax in proportion, rounded half up; more than the invoice is refused later, by its total."""
    currency, total, charged = invoice["currency"], invoice["total"], invoice["total_taxes"]
    amounts = [tax["amount"] for tax in charged]
    tax_total = proportion(gross, sum(amounts), total, currency)
    net = gross - tax_total
    taxes = [
        tax_entry(_rate_id(tax), share, _taxable(invoice, tax, net))
        for tax, share in zip(charged, shares(tax_total, amounts, currency), strict=True)
    ]
    line = _line(books, "custom_line_item", net, taxes)
    return Sums([line | {"quantity": 1, "unit_amount": net, "unit_amount_decimal": str(net)}], taxes)


def _taxable(invoice: Doc, tax: Doc, net: int) -> int:
    return proportion(net, tax["taxable_amount"], invoice["total_excluding_tax"], invoice["currency"])


def _rate_id(tax: Doc) -> str:
    return str(tax["tax_rate_details"]["tax_rate"])


def _by_lines(books: Books, invoice: Doc, asked: list[Doc]) -> Sums:
    lines: list[Doc] = []
    for at, each in enumerate(asked):
        make = _custom_line if each["type"] == "custom_line_item" else _invoice_line
        lines.append(make(books, invoice, each, at, lines))
    return Sums(lines, totals_by_rate([tax for line in lines for tax in line["taxes"]]))


def _invoice_line(books: Books, invoice: Doc, asked: Doc, at: int, before: list[Doc]) -> Doc:
    wanted = asked.get("invoice_line_item", "")
    param = f"lines[{at}][invoice_line_item]"
    charged = next((line for line in invoice["lines"]["data"] if line["id"] == wanted), None)
    if charged is None:
        raise missing("invoice line item", wanted, param=param, in_path=False)
    amount = _amount_of_line(charged, asked, at, invoice["currency"])
    left = charged["amount"] - _credited_on(books, invoice, wanted) - _on_line(before, wanted)
    if amount > left:
        raise refused(f"The line can be credited by {left} at most, not by {amount}.", param=f"lines[{at}]")
    taxes = _taxes_asked(books, asked, at, amount, invoice["currency"])
    line = _line(books, "invoice_line_item", amount, _in_proportion(charged, amount) if taxes is None else taxes)
    return line | {
        "description": charged["description"],
        "invoice_line_item": wanted,
        "quantity": asked.get("quantity"),
    }


def _amount_of_line(charged: Doc, asked: Doc, at: int, currency: str) -> int:
    if ("amount" in asked) == ("quantity" in asked):
        raise bad_param(f"lines[{at}]", "Give the line an amount or a quantity, one of them.", "parameter_missing")
    if "amount" in asked:
        return checked_amount(asked["amount"], currency, param=f"lines[{at}][amount]", lowest=1)
    quantity = asked["quantity"]
    if not 1 <= quantity <= charged["quantity"]:
        raise bad_param(f"lines[{at}][quantity]", f"The quantity must be between 1 and {charged['quantity']}.")
    return proportion(charged["amount"], quantity, charged["quantity"], currency)


def _credited_on(books: Books, invoice: Doc, line_id: str) -> int:
    notes = books.objects.all("credit_note", invoice=invoice["id"])
    return sum(_on_line(note["lines"]["data"], line_id) for note in notes if note["status"] != "void")


def _on_line(lines: list[Doc], line_id: str) -> int:
    return sum(int(line["amount"]) for line in lines if line.get("invoice_line_item") == line_id)


def _in_proportion(charged: Doc, amount: int) -> list[Doc]:
    return [
        tax_entry(_rate_id(tax), proportion(tax["amount"], amount, charged["amount"], charged["currency"]), amount)
        for tax in charged["taxes"]
    ]


def _custom_line(books: Books, invoice: Doc, asked: Doc, at: int, _before: list[Doc]) -> Doc:
    currency, quantity = invoice["currency"], asked.get("quantity", 1)
    if not asked.get("description"):
        raise bad_param(f"lines[{at}][description]", "A custom line needs a description.", "parameter_missing")
    decimal = asked.get("unit_amount_decimal") or str(asked.get("unit_amount", ""))
    unit = unit_price(decimal, param=f"lines[{at}][unit_amount]")
    amount = checked_amount(half_up(unit * quantity, currency), currency, param=f"lines[{at}]", lowest=1)
    line = _line(books, "custom_line_item", amount, _taxes_asked(books, asked, at, amount, currency) or [])
    whole = int(unit) if unit.denominator == 1 else None
    priced = {"quantity": quantity, "unit_amount": whole, "unit_amount_decimal": decimal}
    return line | {"description": asked["description"]} | priced


def _taxes_asked(books: Books, asked: Doc, at: int, amount: int, currency: str) -> list[Doc] | None:
    if asked.get("tax_amounts"):
        return [tax_entry(_known(books, tax["tax_rate"], at)["id"], tax["amount"], tax["taxable_amount"])
                for tax in asked["tax_amounts"]]  # fmt: skip
    if "tax_rates" not in asked:
        return None
    rates = [_known(books, each, at) for each in asked["tax_rates"] or []]
    return [tax_entry(rate["id"], percent_of(amount, rate["percentage"], currency), amount) for rate in rates]


def _known(books: Books, rate_id: str, at: int) -> Doc:
    return books.objects.get("tax_rate", rate_id, param=f"lines[{at}][tax_rates]")


def _line(books: Books, kind: str, amount: int, taxes: list[Doc]) -> Doc:
    rates = [books.objects.get("tax_rate", _rate_id(tax), param="tax_rates") for tax in taxes]
    fields: Doc = {
        "amount": amount, "description": None, "discount_amount": 0, "discount_amounts": [], "metadata": {},
        "pretax_credit_amounts": [], "quantity": None, "tax_rates": rates, "taxes": taxes, "type": kind,
        "unit_amount": None, "unit_amount_decimal": None,
    }  # fmt: skip
    return books.draft("cnli", "credit_note_line_item", fields)
