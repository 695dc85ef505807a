"""Ending background tasks.

Subtle: a library may lose a cancellation while it connects or cleans up, and the task then runs on; so a task is
cancelled until it has ended.
"""

import asyncio

STEP_S = 0.1


async def end(*tasks: "asyncio.Task[None] | None") -> None:
    """Cancel tasks and wait until they have ended; their exceptions are ignored."""
    running = {task for task in tasks if task is not None}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=STEP_S)
