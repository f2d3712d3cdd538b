"""`expand[]`: ids replaced by the objects they name; and fields that Stripe leaves out unless asked for."""

from standin.call import Doc
from standin.errors import bad_param
from standin.objects import Objects

DEEPEST = 4
ON_REQUEST = {"customer": ("invoice_credit_balance",), "invoice": ("payments",)}
"""Fields by object that are part of an answer only when they are expanded."""


def expanded(body: Doc, paths: list[str], objects: Objects) -> Doc:
    """The answer with these paths expanded and the unasked fields left out.

    Raises:
        ApiError: A path is too deep, or names nothing that can be expanded.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise bad_param("expand", f"You cannot expand more than {DEEPEST} levels of a property: {path}")
        _expand(body, steps, path, objects)
    _drop_unasked(body, {tuple(path.split(".")) for path in paths}, ())
    return body


def _expand(holder: Doc, steps: list[str], path: str, objects: Objects) -> None:
    first, *rest = steps
    if first not in holder:
        raise bad_param("expand", f"This property cannot be expanded ({path}).")
    holder[first] = _resolved(holder[first], path, objects)
    if not rest:
        return
    inner = holder[first]
    for each in inner if isinstance(inner, list) else [inner]:
        if isinstance(each, dict):
            _expand(each, rest, path, objects)


def _resolved(value: object, path: str, objects: Objects) -> object:
    if isinstance(value, list):
        return [_resolved(each, path, objects) for each in value]
    if isinstance(value, str):
        found = objects.find(value)
        if found is None:
            raise bad_param("expand", f"This property cannot be expanded ({path}).")
        return found
    return value


def _drop_unasked(doc: Doc, asked: set[tuple[str, ...]], at: tuple[str, ...]) -> None:
    for name in ON_REQUEST.get(str(doc.get("object")), ()):
        if (*at, name) not in asked:
            doc.pop(name, None)
    for name, value in doc.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                _drop_unasked(each, asked, (*at, name))
