"""What the columns of a raw table are: text as numbers and dates, and back again."""
