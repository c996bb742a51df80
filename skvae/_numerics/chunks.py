"""Some rows at a time: what bounds the memory of a loop over all of them."""

CHUNK_ROWS = 2048


def slices(n_rows, size=CHUNK_ROWS):
    """Yield slices of `size` rows that cover `n_rows` rows in their order.

    Examples
    --------
    >>> from skvae._numerics.chunks import slices
    >>> list(slices(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    for start in range(0, n_rows, size):
        yield slice(start, start + size)


def map_chunks(function, *rows):
    """Apply a function to some rows at a time; join each of the tensors it returns.

    Parameters
    ----------
    function : callable
        Maps rows to a tuple of tensors with as many rows.
    *rows : Tensor of shape (n, ...)
        Its arguments.

    Returns
    -------
    list of Tensor
    """
    import torch  # here, as a table is read without it

    chunks = (of_one.split(CHUNK_ROWS) for of_one in rows)
    return [torch.cat(part) for part in zip(*map(function, *chunks), strict=True)]
