"""The optimizer of a job, and its learning rate."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer as TorchOptimizer

from vppo_core.spec.learner import LearnerSpec, Optimizer


class AdamWBf16Kahan(TorchOptimizer):
    """AdamW on bfloat16 weights and states, with Kahan compensation of the weights.

    A bfloat16 weight loses updates below 1/256 of its size; the compensation remembers what was
    lost and adds it to the next update. 8 bytes a parameter, gradients included, instead of 16.

    Source: the optimizer that VPPO's authors train with (`adamw_bf16`), after Zamirai et al.,
        "Revisiting BFloat16 Training", arXiv:2010.06192.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, self.state[parameter], group)

    def _update(
        self, parameter: torch.Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        if not state:
            state["step"] = torch.tensor(0.0)
            for name in ("exp_avg", "exp_avg_sq", "compensation"):
                state[name] = torch.zeros_like(parameter)
        state["step"] += 1
        step = float(state["step"])
        beta1, beta2 = group["betas"]
        gradient = parameter.grad
        mean, square, lost = state["exp_avg"], state["exp_avg_sq"], state["compensation"]
        mean.mul_(beta1).add_(gradient, alpha=1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        scale = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
        lost.addcdiv_(mean, scale, value=-group["lr"] / (1 - beta1**step))
        before = parameter.clone()
        parameter.add_(lost)
        lost.add_(before - parameter)


def create_optimizer(parameters: Iterable[torch.Tensor], spec: LearnerSpec) -> TorchOptimizer:
    """The optimizer that the spec names, over the parameters that are trained."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    kind: Any = torch.optim.AdamW if spec.optimizer is Optimizer.ADAMW else AdamWBf16Kahan
    optimizer: TorchOptimizer = kind(
        trained,
        lr=spec.learning_rate,
        betas=(spec.beta1, spec.beta2),
        eps=spec.epsilon,
        weight_decay=spec.weight_decay,
    )
    return optimizer


def learning_rate(spec: LearnerSpec, update: int) -> float:
    """Rate of an update (0-based): linear warm-up, then constant."""
    if update >= spec.warmup_updates:
        return spec.learning_rate
    return spec.learning_rate * (update + 1) / spec.warmup_updates
