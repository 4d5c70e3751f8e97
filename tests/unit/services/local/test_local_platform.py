"""The platform file: read, or refused in a sentence."""

from pathlib import Path

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.local.platform import (
    load_platform,
    machine_platform,
    refuse_inside_a_cluster,
)

TWO_POOLS = """
pools:
  - name: left
    gpus: 4
    gpuType: H100-80GB
    devices: "0,1,2,3"
    pricePerGpuHour: 2.5
  - {name: right}
queues:
  - {name: urgent, pool: left}
  - {name: rest, pool: right}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "platform.yaml"
    path.write_text(text)
    return path


def test_a_platform_is_read_with_its_defaults(tmp_path: Path) -> None:
    platform = load_platform(written(tmp_path, TWO_POOLS))
    assert [pool.devices for pool in platform.pools] == ["0,1,2,3", ""]
    assert [queue.pool for queue in platform.queues] == ["left", "right"]
    assert [one.name for one in platform.priorities] == ["low", "high"]


def test_json_is_read_too(tmp_path: Path) -> None:
    text = '{"pools": [{"name": "local", "gpus": 2}]}'
    assert load_platform(written(tmp_path, text)).pools[0].gpus == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "a platform file must hold pools, queues or priorities", id="empty"),
        pytest.param("[1]", "a platform file must hold pools", id="list"),
        pytest.param("pools: [", "a platform file must be valid YAML or JSON", id="broken"),
        pytest.param(
            "pool: []", "pool is not a field of a platform, got a list; did you mean", id="typo"
        ),
        pytest.param(
            "pools: [{name: a, gpu: 1}]",
            "pools[0].gpu is not a field of a platform, got 1; did you mean 'gpus'?",
            id="typo-in-a-pool",
        ),
        pytest.param("pools: [{gpus: 1}]", "pools[0].name must be set", id="missing"),
        pytest.param('pools: [{name: a, gpus: "8"}]', "pools[0].gpus is wrong", id="quoted"),
        pytest.param("pools: [{name: A}]", "pools[0].name is wrong", id="name"),
        pytest.param("pools: []", "pools is wrong", id="no-pools"),
        pytest.param(
            "queues: [{name: a, pool: none}]", "queues must name a pool of the platform", id="pool"
        ),
        pytest.param("pools: !!binary aGk=", "remove YAML tags", id="tag"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        load_platform(written(tmp_path, text))
    assert sentence in str(caught.value)


def test_each_wrong_thing_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        load_platform(written(tmp_path, "pools: [{name: a, gpus: -1}, {gpus: 2}]"))
    assert len(str(caught.value).split("\n")) == 2


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpecError, match="must be readable"):
        load_platform(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InvalidSpecError, match="must be UTF-8"):
        load_platform(tmp_path / "bytes")
    (tmp_path / "big").write_bytes(b"#" * 300_000)
    with pytest.raises(InvalidSpecError, match="at most"):
        load_platform(tmp_path / "big")


@pytest.mark.parametrize(
    ("environ", "gpus"),
    [({}, 2), ({"CUDA_VISIBLE_DEVICES": "1"}, 1), ({"CUDA_VISIBLE_DEVICES": ""}, 0)],
    ids=["all", "one-visible", "none-visible"],
)
def test_a_machine_that_nobody_described_offers_its_visible_gpus(
    tmp_path: Path, environ: dict[str, str], gpus: int
) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert machine_platform(environ, devices=tmp_path).pools[0].gpus == gpus


def test_a_pod_of_a_cluster_is_refused_unless_forced() -> None:
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with pytest.raises(InvalidSpecError, match="KUBERNETES_SERVICE_HOST"):
        refuse_inside_a_cluster(inside, force=False)
    refuse_inside_a_cluster(inside, force=True)
    refuse_inside_a_cluster({}, force=False)
