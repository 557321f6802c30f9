"""What to say where a package that is optional cannot be imported."""


def import_failure(
    need: str, extra: str, error: ImportError, otherwise: str = ""
) -> str:
    """Say what failed, why, and what to install.

    The cause is part of it, since a package that is installed fails as well
    where one that it imports is missing.

    Args:
        need: who needs which package, as "reading HTML needs trafilatura".
        extra: of this package, which installs the other.
        error: what the import raised.
        otherwise: what to do without it, if anything.
    """
    cause = " ".join(str(error).split())
    advice = f'run pip install "scratchlm[{extra}]"'
    if otherwise:
        advice += f", or {otherwise}"
    return f"{need}, which cannot be imported ({cause}); {advice}"
