"""How a call to the payment system fails, sorted by what may have been done."""


class PaymentsError(Exception):
    """A call to the payment system failed."""


class CallRefused(PaymentsError):
    """Final: the request itself is wrong; trying again would be refused again.

    Attributes:
        code: The payment system's own code.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RateLimited(PaymentsError):
    """Too many calls; nothing was done.

    Attributes:
        retry_after: Seconds the payment system asked to wait, or None when it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CallConflict(PaymentsError):
    """The same key is in use this moment, or the object is locked; nothing was done by this call."""


class Unavailable(PaymentsError):
    """The payment system cannot be reached; nothing was done."""


class LookUpUnfinished(PaymentsError):
    """What was looked for is not found yet, and there is more to look through: look again at once."""


class OutcomeUnknown(PaymentsError):
    """The call may have been carried out: ask again with the same key."""
