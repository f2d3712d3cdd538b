"""What workflows, activities, workers, starters and web share."""
