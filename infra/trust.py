"""The certificates that functions on AWS trust: those of Amazon's root authorities, which AWS's endpoints have.

botocore reads its whole list of 126 authorities for every new connection, not only for the first one. That takes
15 ms of CPU, which is a fifth of a second with 128 MB. Amazon recommends these five for trust stores of one's own
(https://www.amazontrust.com/repository/).
"""

import re
from pathlib import Path
from typing import Final

FILE: Final = "shared/amazon-roots.pem"
"""The file in a bundle; on Lambda, the variable `AWS_CA_BUNDLE` names it to botocore."""
ON_LAMBDA: Final = f"/var/task/{FILE}"
ROOTS: Final = (
    *(f"Amazon Root CA {number}" for number in range(1, 5)),
    "Starfield Services Root Certificate Authority - G2",
)
BOTOCORES_LIST: Final = Path("botocore", "cacert.pem")
_ENTRY: Final = re.compile(
    r'# Label: "(?P<label>[^"]+)"\n(?:#[^\n]*\n)*'
    r"(?P<certificate>-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n)"
)


class TrustError(Exception):
    """botocore's list of authorities lacks one of Amazon's. The text names it."""


def amazon_roots(listed: str) -> str:
    """Return the certificates of `ROOTS` in a list with labels. Raises TrustError if one is missing."""
    certificates = {entry["label"]: entry["certificate"] for entry in _ENTRY.finditer(listed)}
    if missing := [name for name in ROOTS if name not in certificates]:
        raise TrustError(
            f"{BOTOCORES_LIST} has no certificate labelled {missing[0]}. Compare ROOTS in infra/trust.py with "
            "https://www.amazontrust.com/repository/."
        )
    return "".join(f"# {name}\n{certificates[name]}" for name in ROOTS)


def add_roots(bundle: Path) -> None:
    """Write Amazon's roots, from botocore's list in the bundle, into the bundle. Raises TrustError."""
    listed = (bundle / BOTOCORES_LIST).read_text("utf-8")
    (bundle / FILE).write_text(amazon_roots(listed), "utf-8")
