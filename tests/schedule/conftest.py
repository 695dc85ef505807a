"""No deadlines: on a machine that is busy with something else an example may take long for no reason of ours."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
