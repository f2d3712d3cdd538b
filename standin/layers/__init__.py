"""What a call passes through, outermost first: faults, contract, authentication, idempotency, transaction."""
