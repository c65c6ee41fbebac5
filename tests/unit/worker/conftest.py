"""The first call of a compiled function compiles it, which no deadline allows for."""

from hypothesis import settings

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
