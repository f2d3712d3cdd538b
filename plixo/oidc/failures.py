"""How a sign-in by the identity provider fails. The messages are for our log: they name no token and no code."""


class ProviderAway(Exception):
    """The provider cannot be reached, or does not answer as a provider does; a later try may work."""


class NotProven(Exception):
    """Who came back has not proved who they are."""
