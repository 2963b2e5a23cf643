"""The Set-Cookie headers that an entry's routes answer with."""

from meshconfig.spec import Entry


def set_cookie(spec: Entry, name: str, value: str, *, max_age: int | None = None, domain: str | None = None) -> str:
    """A cookie for all paths, which no script can read.

    Parameters:
        max_age: seconds; 0 takes the cookie away, None keeps it until the browser is closed.
        domain: also for the hosts below; None for the one host alone.
    """
    attributes = ["Path=/"]
    attributes += [f"Max-Age={max_age}"] if max_age is not None else []
    attributes += [f"Domain={domain}"] if domain else []
    attributes += ["HttpOnly", "SameSite=Lax"]
    # Of an existing Gateway it is not known whether it ends TLS.
    attributes += ["Secure"] if spec.gateway.tls else []
    return "; ".join([f"{name}={value}", *attributes])
