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
        Its arguments, all as long.

    Returns
    -------
    list of Tensor
    """
    import torch  # here, as a table is read without it

    if len({len(of_one) for of_one in rows}) > 1:
        lengths = ", ".join(str(len(of_one)) for of_one in rows)
        raise ValueError(f"The arguments must have as many rows; they have {lengths}.")
    chunks = zip(*(of_one.split(CHUNK_ROWS) for of_one in rows), strict=True)
    parts = [function(*chunk) for chunk in chunks]
    return [torch.cat(part) for part in zip(*parts, strict=True)]
