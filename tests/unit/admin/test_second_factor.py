"""Second factors and throttling: RFC 6238, codes that work once, guesses that wait."""

import pytest

from gatepost.admin import totp
from gatepost.admin.oidc import role_of
from gatepost.admin.throttle import FORGET, FREE_TRIES, LONGEST_WAIT, MEMORY, Throttle

SECRET = totp.secret_of(b"12345678901234567890")
NOW = 1_111_111_109_000


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
        (2000000000, "279037"), (20000000000, "353130"),
    ],
)  # fmt: skip
def test_codes_are_those_of_rfc_6238_appendix_b(second, code):
    assert totp.code_at(SECRET, second // 30) == code


def test_a_code_is_taken_a_period_early_or_late_and_once():
    step = NOW // 30_000
    for off in (-1, 0, 1):
        assert totp.step_of(SECRET, totp.code_at(SECRET, step + off), NOW, 0) == step + off
    for off in (-2, 2):
        assert totp.step_of(SECRET, totp.code_at(SECRET, step + off), NOW, 0) is None
    assert totp.step_of(SECRET, totp.code_at(SECRET, step), NOW, step) is None
    assert totp.step_of(SECRET, "081 804", NOW, 0) == step


@pytest.mark.parametrize("code", ["", "1", "0818040", "08180x", "०८१८०४", "-81804", "081804\n0"])
def test_what_is_no_code_is_refused(code):
    assert totp.step_of(SECRET, code, NOW, 0) is None


def test_the_address_for_an_app_names_user_and_issuer():
    found = totp.address_of("ABC", "ann@contoso.example", "Gatepost")
    assert found == "otpauth://totp/Gatepost%3Aann%40contoso.example?secret=ABC&issuer=Gatepost"


def test_a_recovery_code_may_be_typed_in_any_way():
    code = totp.recovery_code(bytes(range(10)))
    assert code == "abcde-fghjk"
    assert totp.plain(" ABCDE fghjk ") == totp.plain(code)


def test_guesses_of_an_account_or_an_address_wait_longer_each_time():
    throttle, waits = Throttle(), []
    for n in range(20):
        throttle.failed((f"user/{n}", "address/a"), NOW)
        waits.append(throttle.wait(("user/other", "address/a"), NOW))
    assert waits[: FREE_TRIES - 1] == [0] * (FREE_TRIES - 1)
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT // 1000 + 1
    assert throttle.wait(("user/0", "address/b"), NOW) == 0
    assert throttle.wait(("user/0", "address/a"), NOW + LONGEST_WAIT) == 0
    throttle.failed(("address/a",), NOW + FORGET)
    assert throttle.wait(("address/a",), NOW + FORGET) == 0


def test_many_names_do_not_make_the_gateway_forget_an_address_or_fill_its_memory():
    throttle = Throttle()
    for n in range(MEMORY + 100):
        throttle.failed((f"user/{n}", "address/a"), NOW)
    assert throttle.wait(("address/a",), NOW) > 0
    assert len(throttle._tries) == MEMORY


def test_the_right_password_takes_back_the_failure_that_was_counted_ahead():
    throttle = Throttle()
    for _ in range(FREE_TRIES * 3):
        assert throttle.wait(("user/ann", "address/a"), NOW) == 0
        throttle.failed(("user/ann", "address/a"), NOW)
        throttle.succeeded("user/ann", "address/a")


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["mail", "boss"]}, "administrator"), ({"groups": "mail"}, "operator"),
        ({"groups": ["x"]}, "viewer"), ({}, "viewer"), ({"groups": [7, None]}, "viewer"),
    ],
)  # fmt: skip
def test_a_claim_gives_the_highest_role_of_its_values(claims, role):
    assert role_of(claims, "groups", {"mail": "operator", "boss": "administrator"}, "viewer") == role
