"""Ways in: password, second factor, recovery codes, a provider of one's own organisation, TLS (security of the admin centre)."""

import http.client
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.scenario.test_admin_centre import Browser, signed_in
from tests.support.certificates import Authority
from tests.support.gateway import GatewayProcess
from tests.support.peers import answers, free_port, wait_until

from gatepost.admin import totp

PASSWORD = "correct horse battery"
