"""What the receiving side offers and bears, as the settings say."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReceiveOptions:
    """What the receiving side offers and bears; all times in seconds."""

    hostname: str
    spool_dir: Path
    listen: tuple[tuple[str, int], ...] = (("127.0.0.1", 2525),)
    max_message_size: int = 150 * 1024 * 1024
    inline_limit: int = 128 * 1024
    max_line_length: int = 998
    max_hops: int = 50
    eight_bit_headers: bool = True
    max_recipients: int = 1000
    max_connections: int = 1000
    max_connections_per_address: int = 100  # of addresses that are no source
    message_rate: int = 0  # messages a minute of an address that is no source; 0: any
    max_commands: int = 500  # commands of a session without a message between them
    max_errors: int = 50
    max_unknown: int = 20
    max_messages: int = 0  # over one connection; 0: any number
    max_login_failures: int = 5
    reserved: float = 0.2  # share of the connections for sources and for who has delivered before
    command_timeout: float = 300.0
    handshake_timeout: float = 30.0
    data_timeout: float = 180.0
    session_timeout: float = 1800.0  # without a message
    min_data_rate: int = 500  # octets a second, over `data_timeout`
    banner_delay: float = 0.0  # for who is no source: who talks before the banner cannot wait for answers
    tls: ssl.SSLContext | None = None
    auth: bool = False
    spool_threads: int = 4
