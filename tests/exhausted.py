"""A process that has used up its descriptors, as a big run may."""

import errno
import os
import resource
from contextlib import contextmanager

ROOM = 3


@contextmanager
def no_descriptors():
    """Let this process have no descriptor more than it has."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + ROOM, limit[1]))
        try:
            while True:
                taken.append(os.dup(0))
        except OSError as error:
            assert error.errno == errno.EMFILE
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        for number in taken:
            os.close(number)
