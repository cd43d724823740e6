"""The deployment as code: valid offline, and in step with the code that it deploys."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from ohlcache.adapters.secrets import REFERENCE_PREFIX, SecretReference
from ohlcache.adapters.stores import dynamodb_schema
from ohlcache.adapters.stores.dynamodb_table import _METHODS, TTL_ATTRIBUTE
from ohlcache.aws.bounds import MARGIN_SECONDS
from ohlcache.aws.telemetry import DIMENSION_OF, METRIC_NAMESPACE
from ohlcache.ports import Metric
from ohlcache.settings import Settings

ROOT = Path(__file__).parents[2]
TEMPLATE_PATH = ROOT / "infra" / "template.yaml"
TEMPLATE: dict[str, Any] = yaml_parse(TEMPLATE_PATH.read_text())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]

ALERTING = {
    Metric.CACHE_ERROR: "SlackTopic",
    Metric.CIRCUIT_BREAKER_OPEN: "OnCallTopic",
    Metric.CACHE_PAGINATION_TRUNCATION: "OnCallTopic",
    Metric.UNPROCESSED_WRITE_ITEMS: "SlackTopic",
}
"""Every metric that alerts, and who is told (O3)."""

MUTE_SECONDS = 3600


def of_type(kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in RESOURCES.items() if resource["Type"] == kind}


def statements() -> dict[str, dict[str, Any]]:
    """Return the statements of the function's role by their Sid."""
    found = {}
    for policy in RESOURCES["Role"]["Properties"]["Policies"]:
        chosen = policy["Fn::If"][1] if "Fn::If" in policy else policy
        found |= {statement["Sid"]: statement for statement in chosen["PolicyDocument"]["Statement"]}
    return found


def actions(statement: dict[str, Any]) -> set[str]:
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def test_cfn_lint_finds_nothing() -> None:
    """O8: the template is valid, offline, down to every property's schema; warnings count."""
    lint = [str(Path(sys.executable).parent / "cfn-lint"), str(TEMPLATE_PATH)]
    found = subprocess.run(lint, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (found.returncode, found.stdout) == (0, "")


def translated_with(package: str, **parameters: str) -> dict[str, Any]:
    """Return the resources that the transform makes of the template with the function's code in ``package``."""

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    template = yaml_parse(TEMPLATE_PATH.read_text())
    template["Resources"]["Function"]["Properties"]["CodeUri"] = f"s3://bucket/{package}"
    made: dict[str, Any] = transform(template, parameters, NoManagedPolicies())["Resources"]
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_only_a_new_package_makes_a_new_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """O8: the URL follows versions, and parameters alone make none: so every package is new, and the guide says it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    first, changed, repackaged = (
        [name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"]
        for resources in (
            translated_with("a"),
            translated_with("a", LogLevel="DEBUG"),
            translated_with("b", LogLevel="DEBUG"),
        )
    )
    assert first == changed != repackaged
    assert re.search(r'^date .*> "\$target/\w+"$', (ROOT / "infra" / "package.sh").read_text(), re.MULTILINE)
    assert "To change a parameter, package again" in GUIDE


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sam_translates_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """O8: the transform makes a function, an alias to roll back with, and a URL that everybody may invoke."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    translated = translated_with("key")
    kinds = [resource["Type"] for resource in translated.values()]
    for kind in ("AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Url", "AWS::Lambda::Version"):
        assert kinds.count(kind) == 1
    assert kinds.count("AWS::Lambda::Permission") == 2
    assert kinds.count("AWS::IAM::Role") == 2


def test_every_alerting_metric_has_an_alarm_that_tells_the_right_people() -> None:
    """O2, O3: metric, namespace and dimension are those that the code emits, and lead to the topic agreed."""
    alarms = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["Namespace"] == METRIC_NAMESPACE
    }
    assert set(alarms) == {metric.value for metric in ALERTING}
    for metric, topic in ALERTING.items():
        alarm = alarms[metric.value]
        assert metric not in DIMENSION_OF
        assert alarm["Dimensions"] == [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["TreatMissingData"] == "notBreaching"
    assert alarms["CacheError"]["Threshold"] == 10
    assert alarms["CacheError"]["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarms["CacheError"]["Period"] == 60
    environment = RESOURCES["Function"]["Properties"]["Environment"]["Variables"]
    assert environment["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}


def test_an_alarm_that_has_fired_stays_quiet_for_an_hour() -> None:
    """O3: one breach holds an alarm up for 60 minutes, and only a change of state notifies."""
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        properties = alarm["Properties"]
        assert properties["DatapointsToAlarm"] == 1
        assert properties["Period"] * properties["EvaluationPeriods"] == MUTE_SECONDS


def test_every_alarm_has_a_page_in_the_runbook() -> None:
    """O3: the description links to a heading that exists."""
    headings = {
        line.lstrip("# ").strip().lower()
        for line in (ROOT / "docs" / "runbook.md").read_text().splitlines()
        if line.startswith("## ")
    }
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        (anchor,) = re.findall(r"docs/runbook\.md#([a-z-]+)", alarm["Properties"]["AlarmDescription"])
        assert anchor in headings
        assert anchor == name.removesuffix("Alarm").lower()


def test_every_permission_is_used_and_every_call_is_permitted() -> None:
    """O8: least privilege: the operations the store makes, one read of secrets, and nothing on everything."""
    found = statements()
    assert actions(found["Candles"]) == {f"dynamodb:{operation}" for operation in _METHODS}
    assert found["Candles"]["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}
    assert actions(found["Keys"]) == {"secretsmanager:GetSecretValue"}
    assert actions(found["Lines"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert set(found) == {"Candles", "Keys", "Lines", "Traces"}
    wide = [sid for sid, statement in found.items() if statement["Resource"] == "*"]
    assert wide == ["Traces"]
    for statement in found.values():
        assert not any("*" in action for action in actions(statement))


def test_the_table_is_the_one_that_the_code_makes() -> None:
    """O8, S7: keys, TTL attribute and billing are those of ``ohlcache create-table``; backups and encryption are on."""
    table = RESOURCES["Table"]["Properties"]
    assert tuple(table["KeySchema"]) == dynamodb_schema.KEY_SCHEMA
    assert tuple(table["AttributeDefinitions"]) == dynamodb_schema.ATTRIBUTES
    assert table["BillingMode"] == dynamodb_schema.BILLING_MODE
    assert table["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert RESOURCES["Table"]["DeletionPolicy"] == "Retain"


def test_every_variable_is_a_setting() -> None:
    """O1: the function's environment holds settings that exist, and references where a secret would stand."""
    names = {
        str(choice)
        for field in Settings.model_fields.values()
        for choice in getattr(field.validation_alias, "choices", [])
    }
    variables = RESOURCES["Function"]["Properties"]["Environment"]["Variables"]
    assert set(variables) - names == {"POWERTOOLS_SERVICE_NAME", "OPENBLAS_NUM_THREADS"}
    for name in ("OHLCACHE_API_KEYS", "TIINGO_API_KEY", "FINNHUB_API_KEY"):
        assert f'"{REFERENCE_PREFIX}${{' in json.dumps(variables[name])


def test_references_of_the_template_are_understood() -> None:
    """What the template writes as a secret's place is what the code reads: an ARN, and a field where there is one."""
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:VendorSecret-a1b2c3-d4e5f6"
    assert SecretReference.parse(f"secretsmanager:{arn}#tiingo") == SecretReference(arn, "tiingo")
    assert SecretReference.parse(f"secretsmanager:{arn}") == SecretReference(arn, None)
    assert SecretReference.parse("a-key-itself") is None


def test_the_handlers_exist_and_have_time_to_answer() -> None:
    """The template's handlers are modules of the package, and the time-out leaves room for a vendor's slowest call."""
    function = RESOURCES["Function"]["Properties"]
    for handler in function["Handler"]["Fn::If"][1:]:
        assert find_spec(handler.rsplit(".", 1)[0]) is not None
    vendor_seconds = Settings.model_fields["vendor_timeout_seconds"].default
    assert TEMPLATE["Parameters"]["TimeoutSeconds"]["MinValue"] > vendor_seconds + MARGIN_SECONDS


def test_the_dashboard_shows_metrics_that_exist() -> None:
    """O8: every ohlcache metric on the dashboard is one that the code counts, with the dimension it is counted with."""
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    shown: set[str] = set()
    for widget in widgets:
        namespace = ""
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                (name,) = re.findall(r'MetricName="(\w+)"', metric[0]["expression"])
                shown.add(name)
                assert DIMENSION_OF[Metric(name)] in metric[0]["expression"]
                continue
            namespace = metric[0] if metric[0] not in {".", "..."} else namespace
            if namespace == METRIC_NAMESPACE and metric[0] != "...":
                shown.add(metric[1])
                assert (DIMENSION_OF.get(Metric(metric[1])) in metric) == (Metric(metric[1]) in DIMENSION_OF)
    assert {metric.value for metric in ALERTING} < shown
    assert shown <= {metric.value for metric in Metric}


def test_the_named_environments_set_parameters_that_exist() -> None:
    """samconfig.toml overrides parameters of the template, with values that it allows."""
    environments = tomllib.loads((ROOT / "infra" / "samconfig.toml").read_text())
    for name in ("staging", "production"):
        for override in environments[name]["deploy"]["parameters"]["parameter_overrides"]:
            parameter, _, value = override.partition("=")
            allowed = TEMPLATE["Parameters"][parameter].get("AllowedValues", [value])
            assert value in map(str, allowed)


def test_what_a_million_requests_cost_adds_up() -> None:
    """O8: the sums at the foot of the cost table are those of its rows, with tracing and without."""
    text = (ROOT / "docs" / "cost.md").read_text().partition("## A million requests")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    dollars = {name: float(cost.strip("*")) for name, _, cost in rows if re.fullmatch(r"[*\d.]+", cost)}
    total, untraced = dollars.pop("**with tracing**"), dollars.pop("**without**")
    assert round(sum(dollars.values()), 2) == total
    assert round(total - dollars["X-Ray, `Tracing=on`"], 2) == untraced


def test_the_smallest_memory_holds_the_memory_tier() -> None:
    """T1: an instance of the least memory that the template allows is not killed by a full memory tier."""
    tier_megabytes = Settings.model_fields["memory_bytes"].default / 1024**2
    assert TEMPLATE["Parameters"]["MemoryMegabytes"]["MinValue"] >= 2 * tier_megabytes


def test_the_package_carries_bytecode_of_the_runtime_that_no_file_time_invalidates() -> None:
    """Lean: compiled after everything is in place, for the template's Python, and valid whatever the zip does to times."""
    version = RESOURCES["Function"]["Properties"]["Runtime"].removeprefix("python")
    script = (ROOT / "infra" / "package.sh").read_text()
    removed, compiled = script.index("rm -rf {} +"), script.index("-m compileall")
    assert removed < compiled
    assert f"--python {version} python -m compileall" in script
    assert "--invalidation-mode unchecked-hash" in script[compiled:]
    assert script.count(f"--python-version {version} ") == 2


GUIDE = (ROOT / "docs" / "deploying-to-aws.md").read_text()


def commands_of(chapter: str) -> list[str]:
    """Return the commands that a chapter of the deploy guide shows."""
    text = GUIDE.partition(f"## {chapter}\n")[2].partition("\n## ")[0]
    return [
        line
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_the_deploy_guide_names_what_is_there() -> None:
    """O8: template, configuration, scripts and outputs of the guide's commands exist where the commands look for them."""
    commands = [*commands_of("Deploying"), *commands_of("Rolling back")]
    (deploy,) = (shlex.split(command) for command in commands if command.startswith("sam deploy"))
    options = dict(zip(deploy[2::2], deploy[3::2], strict=True))
    template = ROOT / options["--template-file"]
    assert template == TEMPLATE_PATH
    # The SAM CLI looks for its configuration beside the template, wherever it was started.
    configuration = tomllib.loads((template.parent / options.get("--config-file", "samconfig.toml")).read_text())
    assert options["--config-env"] in configuration
    for command in commands:
        for script in re.findall(r"infra/\S+\.sh", command):
            assert os.access(ROOT / script, os.X_OK)
        for name in re.findall(r"infra/output\.sh (\w+)", command):
            assert name in TEMPLATE["Outputs"]
    assert configuration["production"]["deploy"]["parameters"]["stack_name"] == "ohlcache"


def test_the_deploy_guide_has_at_most_ten_commands() -> None:
    """O8: from nothing to a smoke-tested URL in ten commands, and a way back."""
    _, _, back = GUIDE.partition("## Rolling back")
    commands = commands_of("Deploying")
    assert 1 <= len(commands) <= 10
    assert any("smoke-test" in command for command in commands)
    assert "```sh" in back
