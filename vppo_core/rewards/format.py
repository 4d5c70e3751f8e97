r"""Whether a response has the form that the prompt asks for."""

from vppo_core.rewards.boxed import clean_whitespace

_OPEN = "<think>"
_CLOSE = "</think>"
_BOX = "\\boxed{"


def format_score(response_text: str) -> float:
    r"""1.0 for `<think>...</think>...\boxed{...}...`, else 0.0.

    The response begins with `<think>`; then come, in this order, `</think>`, `\boxed{` and a
    closing brace. Equal to a full match of `<think>.*</think>.*\\boxed\{.*\}.*` where the dot
    takes line ends too, in linear time.

    Source: EasyR1, `examples/reward_function/math.py`, `format_reward`.
    """
    text = clean_whitespace(response_text)
    if not text.startswith(_OPEN):
        return 0.0
    position = len(_OPEN)
    for wanted in (_CLOSE, _BOX, "}"):
        position = text.find(wanted, position)
        if position < 0:
            return 0.0
        position += len(wanted)
    return 1.0
