"""One kind of column each: its density, gradient, mean and draws, given z."""
