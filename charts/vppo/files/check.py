"""What `helm test` asks of a release: a line for each answer; ends with 1 if one is wrong."""

import http.client
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
PATIENCE_SECONDS = 60.0
JOB = {
    "apiVersion": "vppo.io/v1alpha1",
    "kind": "VPPOJob",
    "spec": {
        "model": {"source": "Qwen/Qwen2.5-VL-7B-Instruct"},
        "data": {"source": "chamber111/VPPO_ViRL39K_train"},
        # A place where every platform may save, with a volume or without; nothing is written.
        "checkpoint": {"uri": "s3://helm-test/runs"},
    },
}


def main(environ: Mapping[str, str], token_file: Path = TOKEN_FILE) -> int:
    """Ask everything; the exit code."""
    api = environ["API_URL"]
    checks: list[tuple[str, Callable[[], str]]] = [
        ("the API and its archive are ready", lambda: expect(200, f"{api}/readyz")),
        ("a caller without a token is refused", lambda: expect(401, f"{api}/jobs")),
        ("a caller with a token gets a plan", lambda: plan(api, environ["NAMESPACE"], token_file)),
    ]
    if mlflow := environ.get("MLFLOW_URL"):
        # Not /health, which answers under every host name.
        url = f"{mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
        checks.append(("MLflow answers under its service name", lambda: expect(200, url)))
    if environ.get("RECEIVER_IS_FORBIDDEN"):
        checks.append(
            ("the receiver is closed to pods without a job", lambda: closed(environ["RECEIVER"]))
        )
    problems = 0
    for name, check in checks:
        trouble = check()
        problems += bool(trouble)
        sys.stdout.write(f"FAIL: {name}: {trouble}\n" if trouble else f"ok: {name}\n")
    return 1 if problems else 0


def plan(api: str, namespace: str, token_file: Path) -> str:
    """Trouble with `POST /jobs?dryRun=true`, or nothing."""
    headers = {
        "Authorization": f"Bearer {token_file.read_text().strip()}",
        "Content-Type": "application/json",
    }
    job = JOB | {"metadata": {"name": "helm-test", "namespace": namespace}}
    return expect(200, f"{api}/jobs?dryRun=true", headers=headers, body=job)


def expect(
    status: int, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None
) -> str:
    """Trouble with one request, or nothing; a server that starts is waited for."""
    data = json.dumps(body).encode() if body is not None else None
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        request = urllib.request.Request(url, data=data, headers=dict(headers or {}))
        got, text = answer(request)
        if got == status:
            return ""
        if got not in (0, 503) or time.monotonic() > end:
            return f"{url} must answer {status}, got {got or 'no answer'}: {text[:500]}"
        time.sleep(2.0)


def answer(request: urllib.request.Request) -> tuple[int, str]:
    """Status and body; 0 and a reason where nobody answers."""
    try:
        with urllib.request.urlopen(request, timeout=20.0) as response:
            return response.status, response.read(4096).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)


def closed(address: str) -> str:
    """Trouble where a connection can be made, or nothing."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5.0).close()
    except OSError:
        return ""
    return f"{address} must not be reached from here, but it is; does the network enforce policies?"


if __name__ == "__main__":
    sys.exit(main(os.environ))
