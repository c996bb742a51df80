"""Names of columns, each different from the others."""


def unique_names(names):
    """Return names in which empty ones are named and repeated ones are numbered.

    Examples
    --------
    >>> from skvae._files.names import unique_names
    >>> unique_names(["a", "a", "", "a.1"])
    ['a', 'a.2', 'Unnamed: 2', 'a.1']
    """
    names = [str(name) or f"Unnamed: {j}" for j, name in enumerate(map(str, names))]
    taken, unique = set(names), []
    seen = set()
    for name in names:
        candidate, number = name, 0
        while candidate in seen or (number and candidate in taken):
            number += 1
            candidate = f"{name}.{number}"
        seen.add(candidate)
        unique.append(candidate)
    return unique
