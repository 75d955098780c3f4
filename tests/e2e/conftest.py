from processes import Citizen, Stack, running

__all__ = ["Citizen", "Stack", "running"]
