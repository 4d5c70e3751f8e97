"""Serves the page on top of an API that makes everything up, for tests and for looking at it:
`python tests/integration/control/web/fake_vppo --port 8123`, then open /ui.
"""

import argparse

import uvicorn
from routes import make_app

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8123)
    port = parser.parse_args().port
    uvicorn.run(make_app(), host="127.0.0.1", port=port, log_level="warning")
