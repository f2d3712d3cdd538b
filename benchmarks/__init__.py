"""The product's speed, measured against a floor in the same run."""
