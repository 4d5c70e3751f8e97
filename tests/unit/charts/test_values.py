"""Values: one model, three prints of it that agree; what is wrong is refused with its cure."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.unit.charts.rendering import CHART, POSTGRES, template
from vppo_core.spec.cluster import ClusterSpec
from vppo_core.spec.fields import wire_fields
from vppo_core.spec.values import ChartValues
from vppo_core.spec.values_schema import comments, values_schema

TEXT = (CHART / "values.yaml").read_text()


def leaves(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict) and node and path[-1:] not in (("resources",), ("annotations",)):
        for name, part in node.items():
            yield from leaves(part, (*path, name))
    else:
        yield path


def test_the_committed_schema_is_the_one_that_the_model_prints() -> None:
    committed = json.loads((CHART / "values.schema.json").read_text())
    assert committed == values_schema(TEXT), "run `make schema`"


def test_the_values_file_says_what_the_model_holds_for_default() -> None:
    values = ChartValues.model_validate_json(
        json.dumps(yaml.safe_load(TEXT)), strict=True, by_alias=True, by_name=False
    )
    assert values == ChartValues()


def test_the_values_file_names_every_value() -> None:
    def names(model: type, given: dict[str, object], path: str) -> list[str]:
        missing = []
        for name, info in wire_fields(model).items():  # type: ignore[arg-type]
            if name not in given:
                missing.append(path + name)
            elif hasattr(info.annotation, "model_fields"):
                missing += names(info.annotation, given[name], f"{path}{name}.")  # type: ignore[arg-type]
        return missing

    assert names(ChartValues, yaml.safe_load(TEXT), "") == []


def test_every_line_of_the_values_file_is_explained() -> None:
    said = comments(TEXT)
    silent = [".".join(path) for path in leaves(yaml.safe_load(TEXT)) if path not in said]
    assert silent == []


def test_the_schema_knows_every_field_of_the_platform() -> None:
    schema = values_schema(TEXT)["properties"]["platform"]["properties"]["cluster"]
    assert set(schema["properties"]) == set(wire_fields(ClusterSpec))
    assert schema["additionalProperties"] is False
    assert "required" not in schema


@pytest.mark.parametrize(
    "option",
    [
        "api.replica=3",
        "unknown.key=1",
        "platform.cluster.head.cpu=3",
        "platform.pools[0].name=cpu,platform.pools[0].gpu=8",
        "mlflow.persistence.sizes=1Gi",
    ],
)
def test_an_unknown_key_is_refused(option: str) -> None:
    done = template(f"--set={option}")
    assert done.returncode != 0
    assert "Additional property" in done.stderr


@pytest.mark.parametrize(
    "option",
    [
        "archive.kind=mysql",
        "rbac.scope=galaxy",
        "api.replicas=0",
        "api.replicas=two",
        "image.digest=sha256:12",
        "storage.size=plenty",
        "storage.accessMode=ReadOnlyMany",
        "mlflow.uri=ftp://elsewhere",
        "monitoring.interval=soon",
        "platform.pools[0].name=CPU",
    ],
)
def test_a_value_out_of_bounds_is_refused(option: str) -> None:
    assert template(f"--set={option}").returncode != 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("archive.kind=postgres",), r"existingSecret must name a Secret"),
        (("archive.postgres.url=postgresql://u:p@h/d",), r"must not stand in values"),
        (
            ("archive.kind=postgres", "archive.postgres.existingSecret=db"),
            r"accessMode must be ReadWriteMany .* got ReadWriteOnce",
        ),
        (("operator.replicas=2",), r"operator.replicas must be 1 .* got 2"),
        (("rbac.scope=cluster", "watchNamespaces={a,b}"), r"watchNamespaces must be empty .* a, b"),
        (("api.defaultNamespace=b", "watchNamespaces={a}"), r"defaultNamespace must be .*, got b"),
        (("mlflow.enabled=true", "mlflow.uri=https://m"), r"mlflow.uri must be empty .* https://m"),
        (("storage.create=true", "storage.existingClaim=c"), r"existingClaim must be empty .* c;"),
        (("receiver.certificate.certManager.enabled=true",), r"issuerName must name an issuer"),
        (("httpRoute.enabled=true",), r"parentRefs must name a Gateway"),
    ],
)
def test_values_that_do_not_go_together_are_refused(options: tuple[str, ...], message: str) -> None:
    done = template(*(f"--set={option}" for option in options))
    assert done.returncode != 0
    assert re.search(message, done.stderr), done.stderr
    assert "secret" not in done.stderr.lower() or "u:p@h" not in done.stderr


def test_a_parent_chart_may_hand_down_its_common_values() -> None:
    assert template("--set=global.region=eu", *POSTGRES).returncode == 0
