"""Who guesses passwords is told apart from who mistypes one (fault matrix 58)."""

import pytest

from gatepost.insight.foresight import Outlook, forecasts
from gatepost.insight.guesses import ALARM, WARN, WINDOW_MS, Guess, Guesses

NOW = 1_795_420_800_000


def guessed(number, *, users=1, clients=1, door="smtp", waited=0):
    """Return what is notable after so many failed logins."""
    guesses = Guesses()
    for n in range(number):
        guesses.note(Guess(NOW, door, f"u{n % users}", f"192.0.2.{n % clients}", n < waited))
    return guesses.notable(NOW)


def test_a_password_that_was_mistyped_is_no_guess():
    assert guessed(WARN - 1) == []


def test_a_client_that_tries_many_accounts_is_one_guesser():
    (found,) = guessed(WARN, users=5, waited=3)
    assert (found.about, found.name, found.tries, found.others, found.waited) == (
        "client",
        "192.0.2.0",
        WARN,
        5,
        3,
    )
    assert found.severity == "medium"


def test_an_account_that_many_clients_try_is_named():
    (found,) = guessed(WARN, clients=5)
    assert (found.about, found.name, found.others) == ("user", "u0", 5)


def test_many_guesses_matter_more():
    assert {found.severity for found in guessed(ALARM)} == {"high"}


def test_what_is_an_hour_old_is_forgotten():
    guesses = Guesses()
    for _ in range(WARN):
        guesses.note(Guess(NOW - WINDOW_MS, "smtp", "ann", "192.0.2.1", False))
    assert guesses.notable(NOW) == []


@pytest.mark.parametrize(
    ("door", "clients", "words"),
    [
        ("smtp", 1, "guesses passwords by SMTP"),
        ("admin", 1, "of the admin centre"),
        ("admin", 5, "from 5 addresses"),
    ],
)
def test_it_is_said_in_a_sentence_with_what_was_held_back(door, clients, words):
    (found,) = forecasts(Outlook(NOW, guessers=guessed(WARN, door=door, clients=clients, waited=4)))
    assert words in found.sentence.text.format(**found.sentence.values)
    said = [because.text.format(**because.values) for because in found.evidence]
    assert any(text.startswith("4 of them were refused without a look") for text in said)
    assert found.next_step.text.format(**found.next_step.values)
