"""The outbox and the mails that leave by it."""
