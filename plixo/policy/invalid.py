"""The one way in which a policy is refused."""


class PolicyInvalid(ValueError):
    """A policy cannot be used, or gives no answer to what it was asked.

    Attributes:
        file: Which of its files is wrong, such as `limits.toml`.
        field: What in it, such as `approve.credit.controller`; empty when it is the whole file.
        problem: What is wrong with it and what would be right.
    """

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field
        self.problem = problem
