"""Files of tables: what is read, and filled cells put back in the file's own format."""
