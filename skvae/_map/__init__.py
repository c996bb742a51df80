"""A map of rows: neighbours, their layout, and where it puts new rows."""
