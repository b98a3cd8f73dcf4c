"""What Schemathesis may not do: make the gateway speak to anything but this machine, or take its own token away."""

import os

import schemathesis

OWN_TOKEN = "GATEPOST_TEST_TOKEN_NAME"  # the variable with the name of the token that the run itself uses
CLOSED = "127.0.0.1:1"
LONGEST = 300  # characters of a smart host
INSTEAD = {"smart_host": CLOSED, "smart_hosts": [CLOSED], "url": f"http://{CLOSED}/"}


@schemathesis.hook
def map_body(context, body):
    """Let whatever was made up lead to a closed port of loopback only."""
    return _kept_inside(body)


def _kept_inside(value):
    if isinstance(value, dict):
        return {
            key: INSTEAD[key] if _leads_out(key, part) else _kept_inside(part) for key, part in value.items()
        }
    if isinstance(value, list):
        return [_kept_inside(part) for part in value]
    return value


def _leads_out(key, part):
    """Tell whether something names a place to connect to; what is too long is none, and has to be refused."""
    return key in INSTEAD and bool(part) and not (isinstance(part, str) and len(part) > LONGEST)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Spare the token of this run, which lists and links of the API lead to as to any other."""
    if case.method.upper() == "DELETE" and case.path.endswith("/tokens/{name}"):
        name = str(case.path_parameters.get("name", ""))
        if name == os.environ[OWN_TOKEN]:
            case.path_parameters = {**case.path_parameters, "name": "of-nobody"}
