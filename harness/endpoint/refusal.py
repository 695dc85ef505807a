"""A refusal: a code, a short message for the client, a detail for the log.

It becomes an HTTP answer before the upgrade and an error frame after it.
"""


class Refused(Exception):
    """A client's request is refused.

    `code` is an HTTP status, `message` is all that the client learns, `detail` goes to the log only.
    `request_id` and `room` are None if they could not be read from the frame. `retry_s` says after how many seconds a
    retry makes sense (429 and 503 only). `by_gateway` if the gateway in front of the application refuses.
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
