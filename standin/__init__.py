"""A local, stateful stand-in for Stripe whose answers conform to the published schema; it imports no product code."""
