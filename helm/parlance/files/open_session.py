"""Opens a session as a client does and asks for something; ends with 0 if all of it went well.

Long-polling over one kept connection, so that a service without sticky sessions serves it too.
Without JWT_SECRET (tokens signed by somebody else) it sees that a false token is refused.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import sys
import time

ATTEMPTS = 10


def token(secret: str) -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims: dict = {"exp": int(time.time()) + 60, "name": "helm test"}
    for claim, variable in (("iss", "JWT_ISSUER"), ("aud", "JWT_AUDIENCE")):
        if os.environ.get(variable):
            claims[claim] = os.environ[variable]
    *outer, last = os.environ.get("JWT_USER_CLAIM", "sub").split(".")
    at = claims
    for name in outer:
        at = at.setdefault(name, {})
    at[last] = "helm-test"
    signed = part({"alg": "HS256", "typ": "JWT"}) + "." + part(claims)
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return signed + "." + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Session:
    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=10)
        self.path = "/socket.io/?EIO=4&transport=polling"
        self.packets: list[str] = []
        opened = self.receive("0")
        self.path += "&sid=" + json.loads(opened[1:])["sid"]

    def ask(self, method: str, body: str | None = None) -> str:
        self.connection.request(method, self.path, body)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise SystemExit(f"{method} {self.path}: {answer.status} {text}")
        return text

    def receive(self, beginning: str) -> str:
        """The next packet that begins so; pings are answered, what else comes is left out."""
        for _ in range(ATTEMPTS):
            while self.packets:
                packet = self.packets.pop(0)
                if packet == "2":
                    self.ask("POST", "3")
                elif packet.startswith(beginning):
                    return packet
            self.packets = self.ask("GET").split("\x1e")
        raise SystemExit(f"no packet {beginning}… came")


def main() -> None:
    secret = os.environ.get("JWT_SECRET")
    session = Session(os.environ["PARLANCE_ADDRESS"])
    session.ask("POST", "40" + json.dumps({"token": token(secret or "not the right one")}))
    if secret is None:
        session.receive("44")
        print("a session was opened, and a false token was refused")
        return
    session.receive("40")
    session.ask("POST", '420["helm:test"]')
    session.receive("430")
    print("a session was opened, a token was taken, and an event was answered")


if __name__ == "__main__":
    sys.exit(main())
