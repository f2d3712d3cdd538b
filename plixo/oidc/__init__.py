"""Sign-in by an OpenID Connect provider: the authorization code flow, and what its ID token proves."""
