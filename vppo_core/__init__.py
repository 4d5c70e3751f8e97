"""The vocabulary, the method and the life of a VPPO job; importable without a GPU stack.

Axis letters mean the same in every file: P prompts, G rollouts per prompt, B = P x G rollouts,
T response tokens (padded right), S prompt + response tokens, V vocabulary, I images.
"""
