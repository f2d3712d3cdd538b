"""Events: what happened, oldest kept for good."""

from standin.books import Books
from standin.call import Call, Doc
from standin.handlers.operation import LISTED, operation


def retrieve(books: Books, call: Call) -> Doc:
    """One event."""
    return books.objects.get("event", call.path_params["id"], param="id", in_path=True)


def listing(books: Books, call: Call) -> Doc:
    """Events, by type."""
    return books.objects.page("event", call.path, call.params, ["type"])


OPERATIONS = {
    "GetEventsId": operation(retrieve),
    "GetEvents": operation(listing, f"{LISTED} type"),
}
