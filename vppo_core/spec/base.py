"""What every section of a job has in common: frozen, strict about names, camelCase on the wire."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

ShortText = Annotated[str, Field(max_length=253)]
Uri = Annotated[str, Field(max_length=1024)]
UnitInterval = Annotated[float, Field(ge=0.0, le=1.0)]


class SpecModel(BaseModel):
    """A section of the spec. Unknown fields are refused; attribute docstrings are descriptions."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )
