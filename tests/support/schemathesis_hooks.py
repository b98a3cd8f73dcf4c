"""What Schemathesis may not do: make the gateway speak to anything but this machine."""

import schemathesis


@schemathesis.hook
def map_body(context, body):
    """Let checks go to a closed port of loopback only, whatever host was made up."""
    path = context.operation.path if context.operation is not None else ""
    if path.startswith("/api/v1/check") and isinstance(body, dict):
        if body.get("smart_host"):
            body["smart_host"] = "127.0.0.1:1"
        if isinstance(body.get("draft"), dict):
            body["draft"] = {key: value for key, value in body["draft"].items() if "host" not in str(key)}
    return body
