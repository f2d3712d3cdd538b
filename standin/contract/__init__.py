"""The check of requests and responses against Stripe's published description."""
