"""What a fitted model says of rows."""
