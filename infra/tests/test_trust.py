"""Functions on AWS trust Amazon's root authorities, and no other ones."""

import ssl
from pathlib import Path

import botocore
import pytest

from infra.trust import FILE, ON_LAMBDA, ROOTS, TrustError, amazon_roots

LISTED = (Path(botocore.__file__).parent / "cacert.pem").read_text("utf-8")


def test_amazons_five_roots_are_found_in_botocores_list():
    """The file of a bundle has exactly the five roots that Amazon recommends, each with its own name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=amazon_roots(LISTED))
    subjects = [str(root["subject"]) for root in context.get_ca_certs()]
    assert len(subjects) == len(ROOTS)
    assert all(any(f"'{name}'" in subject for subject in subjects) for name in ROOTS)


@pytest.mark.parametrize("missing", ROOTS)
def test_a_list_without_one_of_the_roots_is_refused(missing):
    """An update of botocore that drops or renames a root stops the synth with its name."""
    with pytest.raises(TrustError, match=missing):
        amazon_roots(LISTED.replace(f'# Label: "{missing}"', '# Label: "Another"'))


def test_garbage_is_refused():
    """A list of another form has no roots, and does not become an empty file that nothing can be checked with."""
    with pytest.raises(TrustError, match=ROOTS[0]):
        amazon_roots("no certificates")


def test_the_file_is_where_lambda_unpacks_a_bundle():
    """The variable's path is in the folder into which Lambda unpacks a function's code."""
    assert Path(ON_LAMBDA) == Path("/var/task") / FILE
