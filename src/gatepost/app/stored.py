"""Objects as the store keeps them: their secrets are encrypted there."""

from collections.abc import Mapping

from gatepost.config import overrides
from gatepost.config.objects import ConfigObject, from_dict
from gatepost.config.secrets import SecretBox
from gatepost.model.objects import Override


def object_of(kind: str, stored: Mapping[str, object], box: SecretBox) -> ConfigObject | Override:
    """Return an object of the store, with its secrets opened."""
    if kind == overrides.KIND:
        return overrides.from_dict(stored)
    data = dict(stored)
    if data.get("password"):
        data["password"] = box.decrypt(str(data["password"]))
    return from_dict(kind, data)
