"""What holds for every test."""

from hypothesis import settings

# Machines are shared: an example may take a second where it took a millisecond the time before.
settings.register_profile("graylane", deadline=None)
settings.load_profile("graylane")
