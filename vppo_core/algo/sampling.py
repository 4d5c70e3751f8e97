"""Dynamic sampling: which groups teach anything."""

from jaxtyping import Bool, Float
from torch import Tensor


def is_informative(
    accuracies: Float[Tensor, "P G"], *, low: float = 0.01, high: float = 0.99
) -> Bool[Tensor, " P"]:
    """Groups whose mean accuracy lies strictly between `low` and `high`.

    A group that is all right or all wrong has equal rewards, hence no advantage.

    Source: DAPO's dynamic sampling; bounds of VPPO-RL a23c54b, ray_trainer.py::_make_batch_data.
    """
    mean = accuracies.double().mean(dim=-1)
    return (mean > low) & (mean < high)
