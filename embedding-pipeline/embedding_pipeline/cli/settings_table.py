"""The table of all settings, as docs/settings.md has it: ``python -m ...settings_table``."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from embedding_pipeline.settings import Settings
from minio_proxy.settings import ProxySettings


def settings_table() -> str:
    """All settings as a Markdown table, those of the proxy alone first, in the code's order."""
    lines = ["| variable | default | what it is |", "| --- | --- | --- |"]
    lines += [_line(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join(lines) + "\n"


def proxy_names() -> list[str]:
    """Variables that `boxseek proxy` reads; the others are of the search service."""
    return [_variable(name) for name in ProxySettings.model_fields]


def _line(name: str, field: FieldInfo) -> str:
    what = (field.description or "").replace("|", "\\|")
    choices = _choices(field.annotation)
    if choices:
        what += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    return f"| `{_variable(name)}` | {_default(field.default)} | {what} |"


def _variable(name: str) -> str:
    return f"BOXSEEK_{name.upper()}"


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


if __name__ == "__main__":
    print(settings_table(), end="")
