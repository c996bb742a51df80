"""From rows to a fitted model: who trains, who validates, what is kept."""
