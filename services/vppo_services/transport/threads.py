"""Thread counts of a role's process, fixed before torch computes anything."""

import os


def pin_threads(cpus: int) -> None:
    """Use exactly `cpus` threads in torch, OpenMP and MKL.

    The number of threads decides in which order floating-point sums are taken, so a run is
    bit-equal only to runs with the same placement.
    """
    import torch

    os.environ["OMP_NUM_THREADS"] = str(cpus)
    os.environ["MKL_NUM_THREADS"] = str(cpus)
    torch.set_num_threads(cpus)
    torch.use_deterministic_algorithms(True, warn_only=True)
