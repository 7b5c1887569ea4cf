"""Authentication behind one seam: from a bearer token to who carries it."""

from typing import Protocol

from pandawms.domain.identity import Who


class Authenticator(Protocol):
    """Knows the tokens of one or more issuers; `api.tokens.LocalIssuer` knows those that this system signed."""

    async def who(self, token: str) -> Who | None:
        """Returns who carries this token; None when this authenticator does not know its issuer.

        Raises Denied when it does and the token is wrong, expired or revoked. The answer may be cached for a few seconds.
        """
        ...
