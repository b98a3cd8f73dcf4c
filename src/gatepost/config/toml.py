"""Write values as TOML; reading it is the standard library's work."""

import json
from collections.abc import Mapping, Sequence

WIDTH = 100


def toml_value(value: object) -> str:
    """Return a value as TOML writes it, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's; only DEL must be escaped by TOML alone
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{toml_value(str(key))} = {toml_value(entry)}" for key, entry in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    raise TypeError(f"TOML cannot hold {type(value).__name__}")


def toml_line(key: str, value: object) -> str:
    """Return `key = value`; long lists and texts of several lines are spread over lines."""
    if isinstance(value, str) and "\n" in value and _plain(value):
        return f'{key} = """\n{value}"""'
    line = f"{key} = {toml_value(value)}"
    if len(line) <= WIDTH or not isinstance(value, list):
        return line
    return f"{key} = [\n" + "".join(f"  {toml_value(entry)},\n" for entry in value) + "]"


def _plain(text: str) -> bool:
    """Tell whether nothing in a text of several lines has to be escaped."""
    return text.replace("\n", "").isprintable() and not set(text) & {"\\", '"'}
