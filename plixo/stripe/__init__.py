"""The gateway to Stripe: the only code that imports the stripe package."""
