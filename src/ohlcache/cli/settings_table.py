"""The table of settings, read off the Settings class: its fields, their aliases and their docstrings."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import AliasChoices, SecretStr

from ohlcache.settings import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

UNSET = "not set"
HIDDEN = "set (hidden)"
DATA_DIR_DEFAULT = "~/.local/share/ohlcache"
"""As a document shows it: the real default depends on who asks."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting; ``chosen``: the value does not come from the default."""

    variable: str
    meaning: str
    default: str
    value: str
    chosen: bool


def describe_settings(settings: Settings) -> list[SettingRow]:
    """Return a row per setting, in the order of the class; secrets are said to be set, never shown."""
    meanings = _meanings()
    return [
        SettingRow(
            variable=_variable(name, info),
            meaning=meanings[name],
            default=_default(name, info),
            value=_shown(getattr(settings, name)),
            chosen=name in settings.model_fields_set,
        )
        for name, info in Settings.model_fields.items()
    ]


def settings_markdown() -> str:
    """Return the table for a document: variable, meaning, default; the same on every machine."""
    meanings = _meanings()
    lines = ["| variable | meaning | default |", "|---|---|---|"]
    for name, info in Settings.model_fields.items():
        meaning = meanings[name].replace("``", "`").replace("|", "\\|")
        lines.append(f"| `{_variable(name, info)}` | {meaning} | {_code(_default(name, info))} |")
    return "\n".join(lines) + "\n"


def _code(default: str) -> str:
    return "" if default == UNSET else f"`{default}`"


def _variable(name: str, info: FieldInfo) -> str:
    assert isinstance(info.validation_alias, AliasChoices), f"{name} names its environment variable"
    return str(info.validation_alias.choices[0])


def _default(name: str, info: FieldInfo) -> str:
    return DATA_DIR_DEFAULT if name == "data_dir" else _shown(info.default)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else UNSET
    if isinstance(value, tuple):
        if any(isinstance(part, SecretStr) for part in value):
            return f"{len(value)} set (hidden)"
        return ", ".join(map(str, value)) or UNSET
    return UNSET if value is None or value == "" else str(value)


def _meanings() -> dict[str, str]:
    """Return the docstring under each field: Python keeps none for them, so the source is read."""
    (body,) = (node for node in ast.parse(inspect.getsource(Settings)).body if isinstance(node, ast.ClassDef))
    meanings = {}
    for node, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(following, ast.Expr):
            docstring = ast.literal_eval(following.value)
            meanings[node.target.id] = " ".join(str(docstring).split())
    return meanings
