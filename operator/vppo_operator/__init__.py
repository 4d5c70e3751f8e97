"""VPPOJob -> RayJob: observe, decide, write down, act."""
