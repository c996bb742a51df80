"""Linear algebra, threads, draws and chunks with reproducible bits."""
