"""What is wrong with settings that come from environment variables, in the words of errors."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.wording import shown


def refused(error: ValidationError, prefix: str) -> InvalidSpecError:
    """One line for each thing that is wrong; a validator's own sentence stays as it is.

    Args:
        prefix: of all the variables' names, such as `API_`.
    """
    return InvalidSpecError(
        "\n".join(_line(details, prefix) for details in error.errors(include_url=False))
    )


def _line(details: ErrorDetails, prefix: str) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    name = prefix + "_".join(str(part) for part in details["loc"]).upper()
    if details["type"] == "missing":
        return f"{name} must be set, got nothing; set it"
    rule = details["msg"][:1].lower() + details["msg"][1:]
    return f"{name} is wrong ({rule}), got {shown(details['input'])}; correct it"
