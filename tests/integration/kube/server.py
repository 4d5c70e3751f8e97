"""A real API server with etcd, for one session of tests: RBAC, tokens from a file, no nodes."""

import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx
from kubernetes import client

from vppo_core.kube.client import KubeClient

ADMIN: Final = "admin-token"
USERS: Final = {ADMIN: ("admin", "system:masters"), "lena-token": ("lena", "")}
START_SECONDS: Final = 60.0


class ApiServer:
    """A running server; objects are lost with it."""

    def __init__(self, folder: Path, assets: Path, port: int, etcd: str) -> None:
        self.folder = folder
        self.assets = assets
        self.url = f"https://127.0.0.1:{port}"
        self.etcd = etcd
        self.ca = folder / "certs" / "apiserver.crt"

    def kube(self, token: str = ADMIN, *, timeout_seconds: int = 30) -> KubeClient:
        """A client as the user of that token."""
        return KubeClient(client.ApiClient(self.settings(token)), timeout_seconds=timeout_seconds)

    def settings(self, token: str = ADMIN) -> client.Configuration:
        """How the `kubernetes` package reaches the server as the user of that token."""
        settings = client.Configuration()
        settings.host = self.url
        settings.ssl_ca_cert = str(self.ca)
        settings.api_key = {"authorization": f"Bearer {token}"}
        settings.retries = False
        return settings

    def http(self, token: str = ADMIN) -> httpx.Client:
        """Plain HTTP as the user of that token, for what our client would never send."""
        trusted = ssl.create_default_context(cafile=str(self.ca))
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, verify=trusted, trust_env=False)

    def kubeconfig(self, token: str = ADMIN, *, url: str = "") -> Path:
        """A kubeconfig of the user of that token; through another address where one is given."""
        named = hashlib.sha256(f"{token} {url}".encode()).hexdigest()[:16]
        path = self.folder / f"kubeconfig-{named}"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n"
            f"clusters: [{{name: test, cluster: {{server: '{url or self.url}', "
            f"certificate-authority: '{self.ca}'}}}}]\n"
            f"users: [{{name: test, user: {{token: {token}}}}}]\n"
            "contexts: [{name: test, context: {cluster: test, user: test, namespace: default}}]\n"
        )
        return path

    def kubectl(self, *arguments: str) -> str:
        """Standard output of kubectl; its words are in the error when it fails."""
        done = subprocess.run(
            [str(self.assets / "kubectl"), "--kubeconfig", str(self.kubeconfig()), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def compact(self) -> int:
        """Make etcd forget everything but what is true now; the revision it begins with."""
        with httpx.Client(base_url=self.etcd, trust_env=False) as etcd:
            newest = etcd.post("/v3/kv/range", json={"key": "AA=="}).raise_for_status().json()
            revision = int(newest["header"]["revision"])
            wish = {"revision": revision, "physical": True}
            etcd.post("/v3/kv/compaction", json=wish).raise_for_status()
        return revision


@contextlib.contextmanager
def running_server(folder: Path, assets: Path, **flags: str) -> Iterator[ApiServer]:
    """etcd and kube-apiserver on free ports, until the block ends.

    Args:
        flags: more flags of kube-apiserver, with `_` for `-`.
    """
    etcd_port, peer_port, port = free_ports(3)
    server = ApiServer(folder, assets, port, f"http://127.0.0.1:{etcd_port}")
    make_key(folder / "accounts.key")
    write_tokens(folder / "tokens.csv")
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            running_process(
                [assets / "etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync"],
                {
                    "listen-client-urls": f"http://127.0.0.1:{etcd_port}",
                    "advertise-client-urls": f"http://127.0.0.1:{etcd_port}",
                    "listen-peer-urls": f"http://127.0.0.1:{peer_port}",
                },
                folder / "etcd.log",
            )
        )
        api = stack.enter_context(
            running_process(
                [assets / "kube-apiserver"],
                {
                    "etcd-servers": f"http://127.0.0.1:{etcd_port}",
                    "cert-dir": str(folder / "certs"),
                    "secure-port": str(port),
                    "bind-address": "127.0.0.1",
                    "service-cluster-ip-range": "10.0.0.0/24",
                    "service-account-issuer": "https://kubernetes.default.svc",
                    "service-account-key-file": str(folder / "accounts.key"),
                    "service-account-signing-key-file": str(folder / "accounts.key"),
                    "token-auth-file": str(folder / "tokens.csv"),
                    "authorization-mode": "RBAC",
                    # Nothing here makes the default ServiceAccount that pods would need.
                    "disable-admission-plugins": "ServiceAccount",
                    **{name.replace("_", "-"): value for name, value in flags.items()},
                },
                folder / "apiserver.log",
            )
        )
        _await_ready(server, api, folder / "apiserver.log")
        yield server


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def make_key(path: Path) -> None:
    """An RSA key for tokens of service accounts."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the key of service accounts; install it"
    subprocess.run([openssl, "genrsa", "-out", str(path), "2048"], check=True, capture_output=True)


def write_tokens(path: Path) -> None:
    """Users by their tokens."""
    lines = [f'{token},{name},{name},"{group}"' for token, (name, group) in USERS.items()]
    path.write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def running_process(
    command: list[str | Path], flags: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its flags, until the block ends."""
    words = [str(word) for word in command] + [f"--{name}={value}" for name, value in flags.items()]
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(log.parent)}
    with log.open("wb") as stream:
        child = subprocess.Popen(words, stdout=stream, stderr=stream, env=environment)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _await_ready(server: ApiServer, api: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(server):
        assert api.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.1)


def _is_ready(server: ApiServer) -> bool:
    if not server.ca.exists():
        return False
    try:
        with server.http() as http:
            return http.get("/readyz").status_code == 200
    except (httpx.TransportError, OSError):
        return False
