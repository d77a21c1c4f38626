"""The keys and the passwords of a stack: random, made once, readable by their owner only."""

import base64
import hmac
import json
import os
import secrets as random_secrets
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, repr=False)
class Secrets:
    """What Airflow needs to keep secret, and the passwords of its users."""

    fernet_key: str
    api_secret_key: str
    jwt_secret: str
    admin_password: str

    @property
    def approver_password(self) -> str:
        """The password of the user who approves, made from a key of the stack."""
        made = hmac.new(self.jwt_secret.encode(), b"approver", sha256).digest()
        return base64.urlsafe_b64encode(made[:12]).decode()

    @classmethod
    def generate(cls) -> "Secrets":
        """Make new random ones."""
        return cls(
            fernet_key=base64.urlsafe_b64encode(random_secrets.token_bytes(32)).decode(),
            api_secret_key=random_secrets.token_urlsafe(32),
            jwt_secret=random_secrets.token_urlsafe(64),
            admin_password=random_secrets.token_urlsafe(12),
        )


def load_or_create(path: Path) -> Secrets:
    """Read the secrets of a stack, or make and keep new ones."""
    if path.exists():
        return Secrets(**json.loads(path.read_text()))
    made = Secrets.generate()
    write_private(path, json.dumps(asdict(made)))
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
