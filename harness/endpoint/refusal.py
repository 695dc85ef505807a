"""What the endpoint says no with: a code, a short message for the client, a detail for the log.

It must not know how a refusal travels (an HTTP answer before the upgrade, an error frame after it).
"""


class Refused(Exception):
    """Something that a client asked for is not done.

    `code` is an HTTP status, `message` is all that the client learns, `detail` goes to the log only.
    `request_id` and `room` are None where the frame did not let them be read. `retry_s` is after how many seconds it
    is worth asking again; only 429 and 503 tell it. `by_gateway` when the gateway before the application says it.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        detail: str = "",
        request_id: str | None = None,
        room: str | None = None,
        retry_s: float = 1.0,
        by_gateway: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail
        self.request_id = request_id
        self.room = room
        self.retry_s = retry_s
        self.by_gateway = by_gateway
