"""Which graylane this is. The number itself stands in `propagation/__init__.py`, where the build reads it."""


def version() -> str:
    """The installed version; empty where graylane is not installed but run from its folder."""
    from importlib.metadata import PackageNotFoundError  # which loads a parser of mails
    from importlib.metadata import version as of

    try:
        return of("graylane")
    except PackageNotFoundError:
        return ""
