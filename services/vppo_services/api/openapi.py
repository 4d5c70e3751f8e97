"""`python -m vppo_services.api.openapi`: the OpenAPI document, as it is committed."""

import json
import sys

from vppo_services.api.app import describe


def openapi_text() -> str:
    """The document of every route, as JSON; no store is needed for it."""
    return json.dumps(describe(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(openapi_text())
