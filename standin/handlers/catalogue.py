"""What is sold and how it is taxed: products, prices, tax rates."""

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import bad_param, refused
from standin.handlers.operation import LISTED, changed, operation, text
from standin.metadata import merged
from standin.money import checked_amount, known_currency, unit_price

PRODUCT_TEXTS = ("description", "statement_descriptor", "tax_code", "unit_label", "url")
RATE_TEXTS = ("country", "description", "jurisdiction", "state", "tax_type")


def create_product(books: Books, call: Call) -> Doc:
    """A product; its id may be chosen."""
    params = call.params
    chosen = params.get("id")
    if chosen and books.objects.find(chosen):
        raise refused(f"Product already exists with the id '{chosen}'.", param="id", code="resource_already_exists")
    texts = {name: text(params, name) for name in PRODUCT_TEXTS}
    fields: Doc = {
        "active": params.get("active", True), "default_price": None, "images": [], "marketing_features": [],
        "metadata": merged({}, params.get("metadata")), "name": params["name"], "package_dimensions": None,
        "shippable": None, "updated": books.now, **texts,
    }  # fmt: skip
    product = books.add("prod", "product", fields | ({"id": chosen} if chosen else {}))
    books.happened("product.created", product)
    return product


def retrieve_product(books: Books, call: Call) -> Doc:
    """One product."""
    return books.objects.get("product", call.path_params["id"], param="id", in_path=True)


def update_product(books: Books, call: Call) -> Doc:
    """Changes what is given."""
    product = retrieve_product(books, call)
    fields: Doc = {name: text(call.params, name) for name in PRODUCT_TEXTS if name in call.params}
    fields |= {name: call.params[name] for name in ("active", "name") if name in call.params}
    fields["metadata"] = merged(product["metadata"], call.params.get("metadata"))
    previous = changed(product, fields)
    books.change(product, **fields, updated=books.now)
    books.happened("product.updated", product, previous)
    return product


def list_products(books: Books, call: Call) -> Doc:
    """Products, the active ones if asked."""
    return books.objects.page("product", call.path, call.params, ["active"])


def create_price(books: Books, call: Call) -> Doc:
    """A price per unit, once or by interval."""
    params = call.params
    currency = known_currency(params["currency"])
    product = _product_of(books, call)
    recurring = params.get("recurring")
    every = {"interval_count": 1, "meter": None, "usage_type": "licensed", **recurring} if recurring else None
    fields: Doc = {
        "active": params.get("active", True), "billing_scheme": "per_unit", "currency": currency,
        "custom_unit_amount": None, "lookup_key": text(params, "lookup_key"), "nickname": text(params, "nickname"),
        "metadata": merged({}, params.get("metadata")), "product": product, "recurring": every,
        "tax_behavior": params.get("tax_behavior", "unspecified"), "tiers_mode": None, "transform_quantity": None,
        "type": "recurring" if recurring else "one_time", **_unit_amount(params, currency),
    }  # fmt: skip
    price = books.add("price", "price", fields)
    books.happened("price.created", price)
    return price


def _product_of(books: Books, call: Call) -> str:
    if "product" in call.params:
        return str(books.objects.get("product", call.params["product"], param="product")["id"])
    if "product_data" not in call.params:
        raise bad_param("product", "Give the price a product or product_data.", "parameter_missing")
    data = {name: value for name, value in call.params["product_data"].items() if name in {"id", "name", "metadata"}}
    inner = Call("POST", "/v1/products", call.headers, b"", b"", call.request_id, params=data)
    return str(create_product(books, inner)["id"])


def _unit_amount(params: Doc, currency: str) -> Doc:
    if "unit_amount_decimal" in params:
        decimal: str = params["unit_amount_decimal"]
        exact = unit_price(decimal, param="unit_amount_decimal", lowest=0)
        return {"unit_amount": int(exact) if exact.denominator == 1 else None, "unit_amount_decimal": decimal}
    if "unit_amount" not in params:
        raise bad_param("unit_amount", "Give the price a unit_amount or unit_amount_decimal.", "parameter_missing")
    amount = checked_amount(params["unit_amount"], currency, param="unit_amount", lowest=0)
    return {"unit_amount": amount, "unit_amount_decimal": str(amount)}


def retrieve_price(books: Books, call: Call) -> Doc:
    """One price."""
    return books.objects.get("price", call.path_params["price"], param="price", in_path=True)


def update_price(books: Books, call: Call) -> Doc:
    """Changes what may change of a price: never its amount."""
    price = retrieve_price(books, call)
    fields: Doc = {name: text(call.params, name) for name in ("lookup_key", "nickname") if name in call.params}
    if "active" in call.params:
        fields["active"] = call.params["active"]
    fields["metadata"] = merged(price["metadata"], call.params.get("metadata"))
    previous = changed(price, fields)
    books.change(price, **fields)
    books.happened("price.updated", price, previous)
    return price


def list_prices(books: Books, call: Call) -> Doc:
    """Prices, by product, currency or activity."""
    return books.objects.page("price", call.path, call.params, ["active", "currency", "product", "type"])


def create_tax_rate(books: Books, call: Call) -> Doc:
    """An exclusive rate in percent; inclusive ones are refused, since no invoice here could carry them."""
    params = call.params
    if params["inclusive"]:
        raise bad_param("inclusive", "The stand-in has exclusive tax rates only.")
    if not 0 <= params["percentage"] <= 100:  # noqa: PLR2004 - per cent
        raise bad_param("percentage", "The percentage must be between 0 and 100.")
    fields: Doc = {
        "active": params.get("active", True), "display_name": params["display_name"], "flat_amount": None,
        "effective_percentage": params["percentage"], "inclusive": False, "jurisdiction_level": None,
        "metadata": merged({}, params.get("metadata")), "percentage": params["percentage"],
        "rate_type": "percentage", **{name: text(params, name) for name in RATE_TEXTS},
    }  # fmt: skip
    rate = books.add("txr", "tax_rate", fields)
    books.happened("tax_rate.created", rate)
    return rate


def retrieve_tax_rate(books: Books, call: Call) -> Doc:
    """One tax rate."""
    return books.objects.get("tax_rate", call.path_params["tax_rate"], param="tax_rate", in_path=True)


def list_tax_rates(books: Books, call: Call) -> Doc:
    """Tax rates, the active ones if asked."""
    return books.objects.page("tax_rate", call.path, call.params, ["active", "inclusive"])


_PRODUCT = f"active metadata name {' '.join(PRODUCT_TEXTS)}"
_PRICE = "active lookup_key metadata nickname"
_PRICE_AMOUNT = "currency product product_data recurring tax_behavior unit_amount unit_amount_decimal"
_RATE = "active display_name inclusive metadata percentage"
OPERATIONS = {
    "PostProducts": operation(create_product, f"id {_PRODUCT}"),
    "GetProductsId": operation(retrieve_product),
    "PostProductsId": operation(update_product, _PRODUCT),
    "GetProducts": operation(list_products, f"{LISTED} active"),
    "PostPrices": operation(create_price, f"{_PRICE} {_PRICE_AMOUNT}"),
    "GetPricesPrice": operation(retrieve_price),
    "PostPricesPrice": operation(update_price, _PRICE),
    "GetPrices": operation(list_prices, f"{LISTED} active currency product type"),
    "PostTaxRates": operation(create_tax_rate, f"{_RATE} {' '.join(RATE_TEXTS)}"),
    "GetTaxRatesTaxRate": operation(retrieve_tax_rate),
    "GetTaxRates": operation(list_tax_rates, f"{LISTED} active inclusive"),
}
