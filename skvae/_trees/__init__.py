"""Each column given the others, by trees."""
